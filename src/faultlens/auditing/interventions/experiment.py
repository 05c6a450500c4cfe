"""Intervene: an experiment on a task's prompts, as a user asks for it; no controls, no verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from faultlens.auditing.activations.alignment import TokenAlignment, tokens_of_factor
from faultlens.auditing.activations.codes import Codes
from faultlens.auditing.activations.site_values import SiteValues
from faultlens.auditing.activations.task_tokens import TaskTokens, tokenize
from faultlens.auditing.behaviour.answer_scores import answer_scores
from faultlens.auditing.behaviour.outcomes import (
    LogitRule,
    Rule,
    TextRule,
    check_targets,
    resolve_rule,
    right_answer,
)
from faultlens.auditing.interventions.asked import (
    Direction,
    Value,
    checked_positions,
    checked_prompts,
    checked_quantities,
    checked_setting,
)
from faultlens.auditing.interventions.bench import Bench
from faultlens.auditing.interventions.decoding import decoded
from faultlens.auditing.interventions.edits import Edited, Kind, Setting, edit_at
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.models.dictionary import Dictionary


def intervene(
    lens: Lens,
    task: Task,
    features: str | Sequence[str] = (),
    *,
    kind: Kind = "zero",
    value: Value = None,
    positions: str | int | None = None,
    prompts: Sequence[int] | None = None,
    direction: Direction | None = None,
    site: str | None = None,
    rule: str | Rule | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Change features of one dictionary, or a direction, and see what becomes of the answers.

    The change keeps the error term: at the edited tokens the site gains `Σ_f (a'_f − a_f) · D_f`.
    BOS is never edited.

    Args:
        lens: the model and its dictionaries.
        task: the prompts.
        features: of one dictionary, e.g. `"3-res-mini/808"`, `"3-res-mini/808+3-res-mini/12"` or a
            list; they are changed together.
        kind: what they are set to: `zero`; `mean`, at the same role; `resample`, to the values of a
            token drawn at random at the same role; `clamp`; `scale`; `add`.
        value: of `scale` the factor; of `add` the amount, for a direction in the site's units along
            it; of `clamp` a number or (lowest, highest); of `mean` and `resample` the prompts they
            draw from: `all` (as by default), `successes` or `failures` of the task.
        positions: `firing`: where any of the features fires (as by default); `all` (as by default
            of a direction); `last`; a factor of the task: the tokens of its level; or a number from
            the end of the prompt, −1 being the last token. With the first three every generated
            token is edited likewise (with `firing`, where they fire); a factor's tokens and
            numbered ones stand in the prompt alone.
        prompts: their indices, from 0; None: all.
        direction: in place of features, a vector `[d]` in the units of `site`; its length does not
            count. `zero` projects it out.
        site: of a direction: a TransformerLens name, e.g. `blocks.3.hook_resid_pre`, or the name of
            a dictionary that reads there.
        rule: what counts as success; None: the task's own, else `exact-word`.
        seed: of `resample`.

    Returns:
        a row a prompt, in the order of `prompts`, which are the index: `prompt`, `target`, `foil`;
        `edited`, how many of its tokens are; then, each with `_before` and `_after`: `margin`, the
        largest logit of a right answer over the largest other, and `difference`, the target's over
        the foil's (missing where there is none), in nats, where target and foil part ways;
        `generated`, up to eight tokens; `success`.

    Raises:
        UserError: features, a site, a kind, a value, positions or prompts that are not there or do
            not go together; or features that fire nowhere in these prompts.
    """
    dictionary, members = checked_quantities(lens, features, direction, site)
    chosen = checked_prompts(task, prompts)
    rule_name, decides = resolve_rule(rule or task.rule)
    check_targets(task, rule_name)
    positions = checked_positions(task, positions, fires=direction is None)
    setting = checked_setting(kind, value, seed)
    tokens = tokenize(task, lens.model)
    roles = TokenAlignment.of(lens.model, task, tokens)
    values = SiteValues.of_dictionary(lens.model, dictionary, tokens)
    bench = Bench(lens.model, dictionary, tokens, Codes.of(dictionary, tokens, roles, values))

    def texts(edited: Edited | None, of: np.ndarray) -> dict[int, str]:
        ids = decoded(bench, edited, of)
        return dict(zip(of.tolist(), map(lens.model.tokenizer.decode, ids), strict=True))

    everyone = np.arange(len(task))
    drawn_from = value if isinstance(value, str) else "all"
    needed = chosen if drawn_from == "all" else everyone
    before = texts(None, needed)
    among = everyone
    if drawn_from != "all":
        if isinstance(decides, LogitRule):
            scores = answer_scores(lens.model, tokens)
            right = np.array([decides.holds(s.difference, s.margin) for s in scores])
        else:
            right = _right(task, before, decides)
        among = np.flatnonzero(right if drawn_from == "successes" else ~right)
        if not len(among):
            raise UserError(
                f"the task has no {drawn_from} to draw the {kind} from: expected value all"
            )
    setting = replace(setting, among=among)
    edited = _edit(bench, task, members, chosen, setting, positions)
    if not len(edited.rows):
        raise UserError(_nothing_edited(dictionary, members, positions, len(chosen)))
    margin, difference, margin_after, difference_after = bench.answers(edited, chosen)
    after = texts(edited, chosen)
    if isinstance(decides, LogitRule):
        right_before = decides.value(difference, margin) > 0
        right_after = decides.value(difference_after, margin_after) > 0
    else:
        asked = {int(i): before[int(i)] for i in chosen}
        right_before, right_after = _right(task, asked, decides), _right(task, after, decides)
    of_prompt = np.searchsorted(bench.codes.starts, edited.rows, side="right") - 1
    return pd.DataFrame(
        {
            "prompt": [task.prompts[i].text for i in chosen],
            "target": [task.prompts[i].target for i in chosen],
            "foil": [task.prompts[i].foil for i in chosen],
            "edited": [int((of_prompt == i).sum()) for i in chosen],
            "margin_before": margin,
            "margin_after": margin_after,
            "difference_before": _nats(difference),
            "difference_after": _nats(difference_after),
            "generated_before": [before[int(i)] for i in chosen],
            "generated_after": [after[int(i)] for i in chosen],
            "success_before": right_before,
            "success_after": right_after,
        },
        index=pd.Index(chosen, name="prompt_id"),
    )


def _right(task: Task, texts: Mapping[int, str], rule: TextRule) -> np.ndarray:
    """Whether what was generated after each prompt, by index, is right; in their order."""
    given = [right_answer(task.prompts[i], text, rule) for i, text in texts.items()]
    return np.array([answer is not None for answer in given], dtype=bool)


def _nats(difference: np.ndarray) -> pd.api.extensions.ExtensionArray:
    """Missing, and not NaN, where there is no foil."""
    return pd.array([None if np.isnan(x) else float(x) for x in difference], dtype="Float64")


def _edit(
    bench: Bench,
    task: Task,
    features: list[int],
    prompts: np.ndarray,
    setting: Setting,
    positions: str | int,
) -> Edited:
    """The change at the positions asked for."""
    if positions == "last":  # and what target and foil share after the prompt, if anything
        ends = [(len(bench.tokens.rows[i]) - 1, len(bench.tokens.scored[i])) for i in prompts]
        rows = np.concatenate(
            [
                bench.codes.starts[i] + np.arange(*span)
                for i, span in zip(prompts, ends, strict=True)
            ]
        )
        wanted = setting.values_at(bench.codes, rows, features)
        return Edited(rows, features, wanted, setting.later(bench.codes, features))
    if positions in ("firing", "all"):
        return edit_at(bench.codes, features, prompts, setting, positions)  # type: ignore[arg-type]
    at = [
        _numbered(bench.tokens, int(i), positions)
        if isinstance(positions, int)
        else _of_factor(bench, task, int(i), positions)
        for i in prompts
    ]
    rows = np.concatenate(
        [bench.codes.starts[i] + where for i, where in zip(prompts, at, strict=True)]
    )
    return Edited(rows, features, setting.values_at(bench.codes, rows, features))


def _numbered(tokens: TaskTokens, prompt: int, place: int) -> np.ndarray:
    """The token that many places from the end of the prompt, where there is one after BOS."""
    at = len(tokens.rows[prompt]) + place
    return np.array([at] if at > 0 else [], dtype=int)


def _of_factor(bench: Bench, task: Task, prompt: int, factor: str) -> np.ndarray:
    """The tokens of the prompt's level of a factor."""
    return tokens_of_factor(
        bench.model, task.prompts[prompt], factor, len(bench.tokens.rows[prompt]) - 1
    )


def _nothing_edited(
    dictionary: Dictionary, features: list[int], positions: str | int, prompts: int
) -> str:
    if positions == "firing":
        names = " and ".join(dictionary.feature(feature) for feature in features)
        return (
            f"{names} fires on none of the {prompts} prompts, so nothing would be changed: "
            "expected features that fire on some of them, or positions='all'"
        )
    return (
        f"positions {positions!r} are in none of the {prompts} prompts, so nothing would be "
        "changed: expected tokens that some of them have"
    )
