"""Step 8: what swapping a level does to the answers, and how much of it passes through a class.

Each pair is a prompt and its twin, the same prompt with one level exchanged (see `swaps`); what is
moved between the two, and what a share is, `patching` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from faultlens.auditing.behaviour.answer_scores import (
    AnswerScore,
    answer_scores,
    forced_scores,
)
from faultlens.auditing.behaviour.generation import decode_and_score
from faultlens.auditing.behaviour.outcomes import LogitRule
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.cached_run import CachedRuns
from faultlens.auditing.interventions.decoding import Succeeds
from faultlens.auditing.interventions.patching.pair_runs import PairRuns
from faultlens.auditing.interventions.patching.patching import Patching
from faultlens.auditing.interventions.patching.swaps import LevelSwap, swap_level
from faultlens.auditing.result import (
    Counterfactual,
    Counterfactuals,
    Interval,
    Patch,
    Positions,
    Selection,
)
from faultlens.corpus.task import Task
from faultlens.features.lens import Lens
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model
from faultlens.models.sites import RESIDUAL, Site
from faultlens.progress import SILENT, Progress, Tick
from faultlens.stats.intervals import bootstrap_mean
from faultlens.stats.mcnemar import mcnemar_exact

MOST_SWAPS = 3  # levels, in the order in which forward selection took them
MOST_PATCHED = 48  # pairs that are patched; of more so many are drawn


def run_counterfactuals(
    lens: Lens,
    task: Task,
    runs: CachedRuns,
    margin: np.ndarray,
    failed: np.ndarray,
    selection: Selection,
    classes: Sequence[FeatureSet],
    *,
    requested: Sequence[FeatureSet] = (),
    succeeds: Succeeds,
    alpha: float,
    seed: int,
    blocks: np.ndarray | None = None,
    progress: Progress = SILENT,
) -> tuple[Counterfactuals, list[PairRuns]]:
    """Swap the levels that forward selection took, and patch the classes between the pairs.

    Args:
        runs: of the task's prompts.
        margin: of every prompt, `[prompts]`.
        failed: the outcome, boolean `[prompts]`.
        selection: the levels that forward selection took.
        classes: to be patched; the whole value is patched at every site of the lens, its
            dictionaries' or its own.
        requested: feature sets that the user wants patched as well.
        succeeds: the outcome's rule; the right answer is the original's.
        alpha: 1 − alpha is the level of the interval that must exclude 0 for a swap to count.
        seed: of the bootstrap and of the pairs drawn.
        blocks: which prompts belong together, whole numbers `[prompts]`; None: none do.
        progress: told of each swapped prompt decoded; of nothing where none can be swapped.

    Returns:
        the effects of the swaps, and the runs of their pairs.
    """
    if not selection.selected:
        nothing = "no level of any factor goes with failure: forward selection took none"
        return Counterfactuals([], nothing), []
    swaps, missing = _swaps(lens.model, task, runs, selection)
    found, paired = [], []
    tick = progress.start("Swapping levels", sum(map(len, swaps))) if swaps else None
    patched = None
    if swaps and lens.sites:
        patched = progress.start("Patching sites", len(lens.sites) * len(swaps))
    for swap in swaps:
        pairs = PairRuns.of(swap, runs, blocks)
        paired.append(pairs)
        scores, after = answers_after(lens.model, swap, succeeds, tick)
        change = np.array([score.margin for score in scores]) - margin[swap.prompts]
        before = failed[swap.prompts]
        gained, lost = int((before & after).sum()), int((~before & ~after).sum())
        low, high = bootstrap_mean(
            change, np.random.default_rng(seed), 1 - alpha, blocks=pairs.blocks
        )
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
                patches=_patches(lens, pairs, classes, requested, alpha, seed, patched),
            )
        )
    reason = None if found else "no level that forward selection took can be swapped"
    return Counterfactuals(found, reason, missing), paired


def swapped_pairs(
    model: Model,
    task: Task,
    runs: CachedRuns,
    selection: Selection,
    blocks: np.ndarray | None = None,
) -> list[PairRuns]:
    """The pairs of the levels that forward selection took, nothing of which is run yet.

    The arguments are those of `run_counterfactuals`.
    """
    swaps, _ = _swaps(model, task, runs, selection)
    return [PairRuns.of(swap, runs, blocks) for swap in swaps]


def _swaps(
    model: Model, task: Task, runs: CachedRuns, selection: Selection
) -> tuple[list[LevelSwap], dict[str, str]]:
    """The swaps of the first levels that were taken, and why the others cannot be swapped."""
    swaps: list[LevelSwap] = []
    missing: dict[str, str] = {}
    for reading in selection.selected[:MOST_SWAPS]:
        taken = [s.level for s in selection.selected if s.factor == reading.factor]
        swap = swap_level(task, runs.tokens, model, reading.factor, reading.level, taken)
        if isinstance(swap, str):
            missing[f"{reading.factor} = {reading.level}"] = swap
        else:
            swaps.append(swap)
    return swaps, missing


def answers_after(
    model: Model, swap: LevelSwap, succeeds: Succeeds, progress: Tick | None
) -> tuple[list[AnswerScore], np.ndarray]:
    """How sure the model is of each swapped prompt's answer, and whether it gives it.

    Returns:
        the scores; and the outcomes, boolean `[pairs]`.
    """
    if isinstance(succeeds, LogitRule):
        scores = answer_scores(model, swap.tokens)
        holds = [succeeds.holds(score.difference, score.margin) for score in scores]
        return scores, np.array(holds, dtype=bool)
    ids, of_one_token = decode_and_score(model, swap.tokens, progress=progress)
    others = [i for i in range(len(swap)) if i not in of_one_token]
    by_pair = of_one_token | forced_scores(model, swap.tokens, others)
    pairs = zip(ids, swap.prompts, strict=True)
    after = np.array([succeeds(given, int(prompt)) for given, prompt in pairs], dtype=bool)
    return [by_pair[i] for i in range(len(swap))], after


def _patches(
    lens: Lens,
    runs: PairRuns,
    classes: Sequence[FeatureSet],
    requested: Sequence[FeatureSet],
    alpha: float,
    seed: int,
    tick: Tick | None,
) -> list[Patch]:
    rng = np.random.default_rng(seed)
    pairs = np.sort(rng.permutation(len(runs.swap))[:MOST_PATCHED])
    everything = [(c, False) for c in classes] + [(c, True) for c in requested]
    patches = []
    for dictionary in lens.dictionaries:
        mine = [(features, by) for features, by in everything if features.site == dictionary.name]
        read = sorted({index for features, _ in mine for index in features.indices})
        patching = Patching.of(dictionary, runs, pairs, read)
        for features, by_user in mine:
            patches.append(replace(patching.patch(features, alpha, seed), requested=by_user))
        patches.append(patching.patch(None, alpha, seed))
    return patches + _whole_patches(lens.sites, runs, pairs, alpha, seed, tick)


def _whole_patches(
    sites: Sequence[Site],
    runs: PairRuns,
    pairs: np.ndarray,
    alpha: float,
    seed: int,
    tick: Tick | None,
) -> list[Patch]:
    """Whole values of sites without a dictionary, moved at some of the tokens.

    Where the residual stream is moved at every token that pairs up, nothing is left of the
    original, and the share is 1 by construction: there the exchanged tokens and the last one are
    moved apart.
    """
    found = []
    for site in sites:
        everywhere: tuple[Positions, ...] = () if site.point in RESIDUAL else ("aligned",)
        for positions in (*everywhere, "swapped", "last"):
            patching = Patching.at_site(site, runs, pairs, positions)
            found.append(patching.patch(None, alpha, seed))
        if tick is not None:
            tick(1)
    return found


def share_restored(
    dictionary: Dictionary, swaps: Sequence[PairRuns], edited: np.ndarray
) -> tuple[float | None, int]:
    """The share of failures that patching the whole value restores: a proven null's control.

    It shows whether anything at all can be restored where features are edited. The whole value of
    the swapped twin is put in at the edited positions that pair up, on prompts whose first scored
    token is wrong and whose twin's is right.

    Args:
        dictionary: at whose target site.
        swaps: of the task; a prompt that several of them have is taken from the first.
        edited: where features are edited, boolean `[prompts, positions]` over the task's prompts;
            all False for a prompt that is not to count.

    Returns:
        the share of these prompts that become right, None where there are none; and their number.
    """
    restored, count = 0, 0
    left: np.ndarray = np.any(edited, axis=1)
    for runs in swaps:
        prompts = runs.swap.prompts
        pairs = np.flatnonzero(left[prompts])
        left[prompts] = False
        if not len(pairs):
            continue
        patching = Patching.of(dictionary, runs, pairs)
        original, swapped = patching.original, patching.swapped
        here = torch.zeros(original.x.shape[:2], dtype=torch.bool)
        columns = min(here.shape[1], edited.shape[1])
        here[:, :columns] = torch.from_numpy(edited[prompts[pairs]][:, :columns])
        here = here.to(original.x.device) & (original.partner >= 0)
        change = patching.whole(original, swapped) * here[..., None]
        patched = original.run.measure(change).margin
        can = (original.margin <= 0) & (swapped.margin > 0) & here.any(dim=1).cpu().numpy()
        restored += int((can & (patched > 0)).sum())
        count += int(can.sum())
    return (restored / count if count else None), count
