"""Levels left out: rungs of the ladder at levels of a factor that they were not trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from faultlens.auditing.factors.levels import pooled_levels
from faultlens.auditing.result import LeftOut, LeftOutDifference
from faultlens.progress import SILENT, Progress
from faultlens.stats.cross_validation import HeldOutLevels, Inputs, leave_one_level_out

Candidate = tuple[Any, Inputs]
"""An unfitted pipeline, and the inputs of all prompts."""


def score_left_out(
    candidates: Mapping[str, Candidate],
    of_factors: Callable[[Mapping[str, Sequence[str]]], Candidate],
    factors: Mapping[str, Sequence[str]],
    failed: np.ndarray,
    *,
    compared: Sequence[tuple[str, str]],
    seed: int,
    blocks: np.ndarray | None = None,
    apart: bool = False,
    progress: Progress = SILENT,
) -> tuple[list[LeftOut], list[LeftOutDifference]]:
    """Hold out every factor's levels in turn, for every rung.

    The rung `factors` stands for the other factors: a level that was not trained on says nothing.

    Args:
        candidates: the rungs, by name.
        of_factors: makes a rung of some factors.
        factors: for each factor the level of every prompt.
        failed: the outcome, boolean `[prompts]`.
        compared: which rungs are compared, first − second.
        seed: of the bootstrap.
        blocks: the block of every prompt that belongs together, `[prompts]`.
        apart: whether the prompts of a block are never on both sides.
        progress: told of the rungs that are done.

    Returns:
        each rung at each factor; and the differences, of those that were scored.
    """
    tick = progress.start("Levels held out", len(factors) * len(candidates))
    found, differences = [], []
    for factor, column in factors.items():
        levels = pooled_levels(column)
        scored: dict[str, HeldOutLevels] = {}
        for name, (pipeline, inputs) in candidates.items():
            if name == "factors":
                others = {other: factors[other] for other in factors if other != factor}
                if not others:
                    reason = "there is no other factor"
                    found.append(LeftOut(factor, name, None, None, None, 0, 0, [], reason))
                    tick(1)
                    continue
                pipeline, inputs = of_factors(others)
            held = leave_one_level_out(
                pipeline, inputs, failed, levels, seed=seed, blocks=blocks, apart=apart
            )
            if held.pairs:
                scored[name] = held
            found.append(_of(factor, name, held, levels))
            tick(1)
        differences += [
            LeftOutDifference(factor, first, second, *scored[first].minus(scored[second]))
            for first, second in compared
            if first in scored and second in scored
        ]
    return found, differences


def _of(factor: str, rung: str, held: HeldOutLevels, levels: Sequence[str]) -> LeftOut:
    return LeftOut(
        factor, rung, held.auroc, held.low, held.high, held.pairs, held.levels, held.one_class,
        None if held.pairs else _no_pairs(levels),
    )  # fmt: skip


def _no_pairs(levels: Sequence[str]) -> str:
    if len(set(levels)) == 1:
        return "there is one level only"
    return "no level holds both outcomes while the other levels do too"
