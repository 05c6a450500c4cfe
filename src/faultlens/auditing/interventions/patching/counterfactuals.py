"""Step 8: what swapping a level does to the answers, and how much of it passes through a class.

Each pair is a prompt and the same prompt with one level exchanged (`swaps`); what is moved between
the two, and what a share is, says `patching`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from faultlens.auditing.activations.task_tokens import TaskTokens
from faultlens.auditing.behaviour.answer_scores import AnswerScore, answer_scores
from faultlens.auditing.behaviour.outcomes import LogitRule
from faultlens.auditing.interventions.decoding import Succeeds, generated
from faultlens.auditing.interventions.patching.patching import Patching
from faultlens.auditing.interventions.patching.swaps import Swapped as Swapped
from faultlens.auditing.interventions.patching.swaps import swap_level
from faultlens.auditing.result import Counterfactual, Counterfactuals, Interval, Patch, Selection
from faultlens.corpus.task import Task
from faultlens.features.lens import Lens
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model
from faultlens.progress import Tick
from faultlens.stats.intervals import bootstrap_mean
from faultlens.stats.mcnemar import mcnemar_exact

MOST_SWAPS = 3  # levels, in the order in which forward selection took them
MOST_PATCHED = 48  # pairs that are patched; of more so many are drawn

Class = tuple[str, Sequence[int]]
"""A dictionary's name and features of it, the strongest first."""


def run_counterfactuals(
    lens: Lens,
    task: Task,
    tokens: TaskTokens,
    margin: np.ndarray,
    failed: np.ndarray,
    selection: Selection,
    classes: Sequence[Class],
    *,
    named: Sequence[Class] = (),
    succeeds: Succeeds,
    alpha: float,
    seed: int,
    progress: Tick | None = None,
) -> tuple[Counterfactuals, list[Swapped]]:
    """Swap the levels that forward selection took, and patch the classes between the pairs.

    Args:
        tokens: the task's.
        margin: of every prompt, `[prompts]`.
        failed: the outcome, boolean `[prompts]`.
        classes: to be patched; the whole value is patched at every site of the lens.
        named: features that the user wants patched as well, as they are given.
        succeeds: the outcome's rule; the right answer is the original's.
        alpha: 1 − alpha is the level of the interval that must exclude 0 for a swap to count.
        seed: of the bootstrap and of the pairs drawn.
        progress: told of each swapped prompt decoded; there are at most as many as prompts.

    Returns:
        what was found, and the swaps themselves.
    """
    if not selection.selected:
        nothing = "no level of any factor goes with failure: forward selection took none"
        return Counterfactuals([], nothing), []
    found, swaps, missing = [], [], {}
    for reading in selection.selected[:MOST_SWAPS]:
        taken = [s.level for s in selection.selected if s.factor == reading.factor]
        swap = swap_level(task, tokens, lens.model, reading.factor, reading.level, taken)
        if isinstance(swap, str):
            missing[f"{reading.factor} = {reading.level}"] = swap
            continue
        swaps.append(swap)
        scores = answer_scores(lens.model, swap.tokens)
        after = outcomes_after(lens.model, swap, scores, succeeds, progress)
        change = np.array([score.margin for score in scores]) - margin[swap.prompts]
        before = failed[swap.prompts]
        gained, lost = int((before & after).sum()), int((~before & ~after).sum())
        low, high = bootstrap_mean(change, np.random.default_rng(seed), 1 - alpha)
        found.append(
            Counterfactual(
                factor=swap.factor,
                level=swap.level,
                swapped_for=swap.swapped_for,
                pairs=len(swap),
                unaligned=swap.left_out,
                failures_original=int(before.sum()),
                failures_swapped=int((~after).sum()),
                failure_to_success=gained,
                success_to_failure=lost,
                p_mcnemar=mcnemar_exact(gained, lost),
                margin_change=Interval(float(change.mean()), low, high),
                patches=_patches(lens, tokens, swap, classes, named, alpha, seed),
            )
        )
    reason = None if found else "no level that forward selection took can be swapped"
    return Counterfactuals(found, reason, missing), swaps


def outcomes_after(
    model: Model,
    swap: Swapped,
    scores: Sequence[AnswerScore],
    succeeds: Succeeds,
    progress: Tick | None,
) -> np.ndarray:
    """Whether each swapped prompt is answered rightly, boolean `[pairs]`."""
    if isinstance(succeeds, LogitRule):
        right = [succeeds.holds(score.difference, score.margin) for score in scores]
        return np.array(right, dtype=bool)
    found = generated(model, swap.tokens.rows, progress=progress)
    pairs = zip(found, swap.prompts, strict=True)
    return np.array([succeeds(ids, int(prompt)) for ids, prompt in pairs], dtype=bool)


def _patches(
    lens: Lens,
    tokens: TaskTokens,
    swap: Swapped,
    classes: Sequence[Class],
    named: Sequence[Class],
    alpha: float,
    seed: int,
) -> list[Patch]:
    rng = np.random.default_rng(seed)
    pairs = np.sort(rng.permutation(len(swap))[:MOST_PATCHED])
    everything = [(c, False) for c in classes] + [(c, True) for c in named]
    found = []
    for dictionary in lens.dictionaries:
        name = dictionary.name
        mine = [(list(features), by) for (site, features), by in everything if site == name]
        read = sorted({feature for features, _ in mine for feature in features})
        patching = Patching.of(lens.model, dictionary, tokens, swap, pairs, read)
        for features, by_user in mine:
            patch = patching.patch([*map(dictionary.feature, features)], features, alpha, seed)
            found.append(replace(patch, named=by_user))
        found.append(patching.patch([], None, alpha, seed))
    return found


def assay_restored(
    model: Model,
    dictionary: Dictionary,
    tokens: TaskTokens,
    swaps: Sequence[Swapped],
    edited: np.ndarray,
) -> tuple[float | None, int]:
    """Whether patching can restore anything where a class is edited: a proven null's control.

    The whole value of the swapped twin is put in at the edited positions that pair up, on prompts
    whose first scored token is wrong and whose twin's is right.

    Args:
        tokens: the task's.
        swaps: of the task; a prompt that several of them have is taken from the first.
        edited: where the class is edited, boolean `[prompts, positions]` over the task's prompts;
            all False for a prompt that is not to count.

    Returns:
        the share of these prompts that become right, None where there are none; and their number.
    """
    restored, count = 0, 0
    open_prompts: np.ndarray = np.any(edited, axis=1)
    for swap in swaps:
        pairs = np.flatnonzero(open_prompts[swap.prompts])
        open_prompts[swap.prompts] = False
        if not len(pairs):
            continue
        patching = Patching.of(model, dictionary, tokens, swap, pairs, [])
        original, swapped = patching.original, patching.swapped
        here = torch.zeros(original.x.shape[:2], dtype=torch.bool)
        columns = min(here.shape[1], edited.shape[1])
        here[:, :columns] = torch.from_numpy(edited[swap.prompts[pairs]][:, :columns])
        here = here.to(original.x.device) & (original.partner >= 0)
        patched = original.assay.measure(patching.whole(original, swapped) * here[..., None])[0]
        can = (original.margin <= 0) & (swapped.margin > 0) & here.any(dim=1).cpu().numpy()
        restored += int((can & (patched > 0)).sum())
        count += int(can.sum())
    return (restored / count if count else None), count
