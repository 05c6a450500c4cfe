"""Levels left out: rungs of the ladder at levels of a factor that they were not trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from faultlens.auditing.factors.levels import pooled_levels
from faultlens.auditing.result import LeftOut, LeftOutDifference
from faultlens.progress import Tick, no_tick
from faultlens.runs.stages import Stage, Stages
from faultlens.stats.cross_validation import (
    HeldOutLevels,
    Inputs,
    leave_one_level_out,
)

Candidate = tuple[Any, Inputs]
"""An unfitted pipeline, and the inputs of all prompts."""


@dataclass(frozen=True)
class LevelsLeftOut:
    """One factor's levels held out in turn.

    Attributes:
        rungs: each rung's score.
        differences: of those that were scored.
    """

    rungs: list[LeftOut]
    differences: list[LeftOutDifference]


@dataclass(frozen=True, eq=False)
class LeavingOut:
    """How levels are left out.

    Attributes:
        compared: which rungs are compared, first − second.
        seed: of the bootstrap.
        blocks: the block of every prompt that belongs together, `[prompts]`; None: there are none.
        apart: whether the prompts of a block are never on both sides.
    """

    compared: Sequence[tuple[str, str]]
    seed: int
    blocks: np.ndarray | None = None
    apart: bool = False


def scores_left_out(
    candidates: Mapping[str, Candidate],
    of_factors: Callable[[Mapping[str, Sequence[str]]], Candidate],
    factors: Mapping[str, Sequence[str]],
    failed: np.ndarray,
    how: LeavingOut,
    stages: Stages,
) -> list[LevelsLeftOut]:
    """Hold out every factor's levels in turn, for every rung; each factor is a stage.

    The rung `factors` stands for the other factors: a level that was not trained on says nothing.

    Args:
        candidates: the rungs, by name.
        of_factors: makes a rung of some factors.
        factors: for each factor the level of every prompt.
        failed: the outcome, boolean `[prompts]`.
        stages: who holds them out.
    """
    wanted = []
    for factor, column in factors.items():
        rungs: dict[str, Candidate | None] = dict(candidates)
        if "factors" in rungs:
            others = {other: factors[other] for other in factors if other != factor}
            rungs["factors"] = of_factors(others) if others else None
        wanted.append(
            Stage(
                f"left-out-{factor}", LevelsLeftOut, leave_out,
                (factor, pooled_levels(column), rungs, failed, how), size=len(rungs),
            )
        )  # fmt: skip

    return stages.made("Levels held out", wanted)


def leave_out(
    factor: str,
    levels: Sequence[str],
    rungs: Mapping[str, Candidate | None],
    failed: np.ndarray,
    how: LeavingOut,
    tick: Tick = no_tick,
) -> LevelsLeftOut:
    """Hold out one factor's levels in turn.

    Args:
        levels: of every prompt, rare ones put together.
        rungs: by name; None: there is no other factor to make one of.
        tick: told of each rung that is done.
    """
    found = []
    scored: dict[str, HeldOutLevels] = {}
    for name, candidate in rungs.items():
        if candidate is None:
            reason = "there is no other factor"
            found.append(LeftOut(factor, name, None, None, None, 0, 0, [], reason))
        else:
            pipeline, inputs = candidate
            held = leave_one_level_out(
                pipeline, inputs, failed, levels, seed=how.seed, blocks=how.blocks,
                apart=how.apart,
            )  # fmt: skip
            if held.pairs:
                scored[name] = held
            found.append(_of(factor, name, held, levels))
        tick(1)
    differences = [
        LeftOutDifference(factor, first, second, *scored[first].minus(scored[second]))
        for first, second in how.compared
        if first in scored and second in scored
    ]
    return LevelsLeftOut(found, differences)


def _of(factor: str, rung: str, held: HeldOutLevels, levels: Sequence[str]) -> LeftOut:
    return LeftOut(
        factor, rung, held.auroc, held.low, held.high, held.pairs, held.levels, held.one_class,
        None if held.pairs else _no_pairs(levels),
    )  # fmt: skip


def _no_pairs(levels: Sequence[str]) -> str:
    if len(set(levels)) == 1:
        return "there is one level only"
    return "no level holds both outcomes while the other levels do too"
