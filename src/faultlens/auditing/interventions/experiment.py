"""Experiment: features edited as a user asks for it; no controls, no verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faultlens.auditing.activations.alignment import tokens_of_factor
from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.activations.task_tokens import TaskTokens, tokenize
from faultlens.auditing.behaviour.answer_scores import answer_scores
from faultlens.auditing.behaviour.outcomes import (
    LogitRule,
    PromptRule,
    Rule,
    TextRule,
    check_targets,
    resolve_rule,
    right_answer,
)
from faultlens.auditing.behaviour.repetition import repetition
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.cached_run import CachedRuns
from faultlens.auditing.interventions.decoding import generate, generate_edited
from faultlens.auditing.interventions.edit_runner import EditRunner
from faultlens.auditing.interventions.edits import Edit, EditContext, Zero, checked_edit
from faultlens.auditing.interventions.experiment_arguments import (
    Direction,
    checked_features,
    checked_positions,
    checked_prompts,
)
from faultlens.auditing.interventions.placed_edit import PlacedEdit, edit_where_firing, place_edit
from faultlens.auditing.interventions.prompt_groups import PromptGroups
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model


def intervene(
    lens: Lens,
    task: Task,
    features: str | Sequence[str] = (),
    *,
    edit: Edit | None = None,
    positions: str | int | None = None,
    prompts: Sequence[int] | None = None,
    direction: Direction | None = None,
    site: str | None = None,
    rule: str | Rule | None = None,
) -> pd.DataFrame:
    """Edit features of one dictionary, or a direction, and see what becomes of the answers.

    The edit keeps the error term: at the edited tokens the site gains `Σ_f (a'_f − a_f) · D_f`.
    What stands in front of a prompt (BOS, as a rule) is never edited.

    Args:
        lens: the model and its dictionaries.
        task: the prompts.
        features: of one dictionary, edited together, e.g. `"3-res-mini/808+3-res-mini/12"`.
        edit: what they are set to: `Zero()` (the default), `Scale(0.5)`, `Add(4.0)`,
            `Clamp(0.0, 2.0)`, `Mean(among="successes")`, `Resample(among="failures", seed=1)`, or
            an edit of your own (see `Edit`).
        positions: `firing`: where any of the features fires (the default for features); `all` (the
            default for a direction); `last`; a factor: the tokens of its level; or a number from
            the end of the prompt, −1 being its last token. With the first three every generated
            token is edited too; with the others only the prompt is.
        prompts: their indices, from 0; None: all.
        direction: in place of features, a vector `[d]` in the units of `site`; its length does not
            count. `Zero()` projects it out.
        site: of a direction: a TransformerLens name, or a dictionary's that reads there.
        rule: what counts as success; None: the task's own, else `exact-word`.

    Returns:
        a row a prompt, indexed by `prompts`: `prompt`, `target`, `foil`; `edited`, how many of its
        tokens are; `margin`, `difference`, `generated`, `success`, each `_before` and `_after`.

    Raises:
        UserError: features, a site, an edit, positions or prompts that are not there or do not go
            together; or features that fire nowhere in these prompts.
    """
    dictionary, members = checked_features(lens, features, direction, site)
    chosen = checked_prompts(task, prompts)
    rule_name, decides = resolve_rule(task.rule if rule is None else rule)
    check_targets(task, rule_name)
    positions = checked_positions(task, positions, fires=direction is None)
    edit = checked_edit(Zero() if edit is None else edit)
    experiment = _Experiment.of(lens.model, dictionary, task, decides)
    placed = experiment.placed(edit, members, chosen, positions)
    if not len(placed.rows):
        raise UserError(_nothing_edited(members, positions, len(chosen)))
    return experiment.table(placed, chosen)


@dataclass(frozen=True, eq=False)
class _Experiment:
    """A task whose prompts can be edited at one dictionary's features.

    Attributes:
        task: the prompts.
        rule: what counts as success.
        before: the answers without an edit.
        runner: runs the edits.
    """

    task: Task
    rule: Rule
    before: _Untouched
    runner: EditRunner

    @classmethod
    def of(cls, model: Model, dictionary: Dictionary, task: Task, rule: Rule) -> _Experiment:
        """The task, read through the dictionary."""
        tokens = tokenize(task, model)
        activations = TaskActivations.read(Lens(model, (dictionary,)), task, tokens)
        runs = CachedRuns(model, tokens, activations.values.sites)
        runner = EditRunner(dictionary, activations.codes(dictionary), runs)
        return cls(task, rule, _Untouched(model, task, tokens, rule), runner)

    def placed(
        self, edit: Edit, features: FeatureSet, prompts: np.ndarray, positions: str | int
    ) -> PlacedEdit:
        """The edit at the positions asked for."""
        codes, tokens, task = self.runner.codes, self.runner.tokens, self.task
        groups = PromptGroups(len(task), lambda: ~self.before.successes)
        context = EditContext(codes, groups)
        if positions == "firing":
            return edit_where_firing(edit, context, features, prompts)
        if positions == "all":
            return place_edit(edit, context, features, codes.rows(prompts))
        if positions == "last":  # and what target and foil share after the prompt, if anything
            spans = [np.arange(len(tokens.rows[i]) - 1, len(tokens.scored[i])) for i in prompts]
        elif isinstance(positions, int):
            spans = [_numbered(tokens, int(i), positions) for i in prompts]
        else:
            spans = [
                tokens_of_factor(task.prompts[i], positions, tokens.offsets[i], tokens.n_start)
                for i in prompts
            ]
        rows = np.concatenate([codes.starts[i] + at for i, at in zip(prompts, spans, strict=True)])
        return place_edit(edit, context, features, rows, "all" if positions == "last" else "none")

    def table(self, placed: PlacedEdit, prompts: np.ndarray) -> pd.DataFrame:
        """The answers before and after an edit, a row a prompt.

        `prompt`, `target`, `foil`; `edited`, how many of its tokens are; then, each with `_before`
        and `_after`: `margin`, the largest logit of a right answer over the largest other, and
        `difference`, the target's over the foil's (missing where there is none), in nats, at the
        first token in which target and foil differ; `generated`, up to eight tokens, or 24 of a
        chat; `success`.
        """
        margin, difference, margin_after, difference_after = self.runner.margins(placed, prompts)
        texts = self.before.texts(prompts)
        after = _texts(self.runner.model, generate_edited(self.runner, placed, prompts))
        if isinstance(self.rule, LogitRule):
            right = self.rule.value(difference, margin) > 0
            right_after = self.rule.value(difference_after, margin_after) > 0
        else:
            right = _right(self.task, prompts, texts, self.rule)
            right_after = _right(self.task, prompts, after, self.rule)
        of_prompt = np.searchsorted(self.runner.codes.starts, placed.rows, side="right") - 1
        asked = [self.task.prompts[i] for i in prompts]
        return pd.DataFrame(
            {
                "prompt": [prompt.text for prompt in asked],
                "target": [prompt.target for prompt in asked],
                "foil": [prompt.foil for prompt in asked],
                "edited": [int((of_prompt == i).sum()) for i in prompts],
                "margin_before": margin,
                "margin_after": margin_after,
                "difference_before": _nats(difference),
                "difference_after": _nats(difference_after),
                "generated_before": texts,
                "generated_after": after,
                "success_before": right,
                "success_after": right_after,
            },
            index=pd.Index(prompts, name="prompt_id"),
        )


def _texts(model: Model, ids: Sequence[list[int]]) -> list[str]:
    return [model.tokenizer.decode(row) for row in ids]


def _right(
    task: Task, prompts: np.ndarray, texts: Sequence[str], rule: TextRule | PromptRule
) -> np.ndarray:
    """Whether the texts are right answers to some prompts, boolean `[prompts]`."""
    found = []
    for i, text in zip(prompts, texts, strict=True):
        answer = text[len(repetition(task.prompts[i], text)) :]
        found.append(right_answer(task.prompts[i], answer, rule) is not None)
    return np.array(found)


class _Untouched:
    """The answers without the edit, generated when they are first asked for."""

    def __init__(self, model: Model, task: Task, tokens: TaskTokens, rule: Rule) -> None:
        self._model, self._task, self._tokens, self._rule = model, task, tokens, rule
        self._texts: dict[int, str] = {}

    @property
    def successes(self) -> np.ndarray:
        """Which prompts of the whole task are answered rightly, boolean `[prompts]`."""
        if isinstance(self._rule, LogitRule):
            scores = answer_scores(self._model, self._tokens)
            return np.array([self._rule.holds(s.difference, s.margin) for s in scores])
        everyone = np.arange(len(self._task))
        return _right(self._task, everyone, self.texts(everyone), self._rule)

    def texts(self, prompts: np.ndarray) -> list[str]:
        """What is generated after some prompts; what is missing is generated together."""
        missing = [int(i) for i in prompts if int(i) not in self._texts]
        if missing:
            rows = [self._tokens.rows[i] for i in missing]
            ids = generate(self._model, rows, new_tokens=self._tokens.new_tokens)
            self._texts.update(zip(missing, _texts(self._model, ids), strict=True))
        return [self._texts[int(i)] for i in prompts]


def _nats(difference: np.ndarray) -> pd.api.extensions.ExtensionArray:
    """Missing, and not NaN, where there is no foil."""
    return pd.array([None if np.isnan(x) else float(x) for x in difference], dtype="Float64")


def _numbered(tokens: TaskTokens, prompt: int, place: int) -> np.ndarray:
    """The token that many places from the end of the prompt, where it has one."""
    at = len(tokens.rows[prompt]) + place
    return np.array([at] if at >= tokens.n_start else [], dtype=int)


def _nothing_edited(features: FeatureSet, positions: str | int, prompts: int) -> str:
    if positions == "firing":
        return (
            f"{' and '.join(features.names)} fires on none of the {prompts} prompts, so nothing "
            "would be changed: expected features that fire on some of them, or positions='all'"
        )
    return (
        f"positions {positions!r} are in none of the {prompts} prompts, so nothing would be "
        "changed: expected tokens that some of them have"
    )
