"""Rung scores: how well each rung of the ladder predicts on folds, each rung a stage of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from faultlens.auditing.held_out.left_out import Candidate
from faultlens.progress import Tick
from faultlens.runs.stages import Stage, Stages
from faultlens.stats.cross_validation import Inputs, Splits, cross_validate


@dataclass(frozen=True)
class FoldScores:
    """A rung's AUROC in each fold.

    Attributes:
        auroc: by repeat, then by fold.
    """

    auroc: list[list[float]]


def scores_by_fold(
    candidates: Mapping[str, Candidate], failed: np.ndarray, splits: Splits, stages: Stages
) -> dict[str, np.ndarray]:
    """Every rung's AUROC, `[repeats, folds]`.

    Args:
        candidates: the rungs, by name.
        failed: the outcome, boolean `[prompts]`.
        splits: of the prompts.
        stages: who scores them.
    """
    wanted = [
        Stage(
            f"ladder-{name}", FoldScores, score_rung, (pipeline, inputs, failed, splits),
            size=len(splits.pairs),
        )
        for name, (pipeline, inputs) in candidates.items()
    ]  # fmt: skip

    found = stages.made("Baseline ladder", wanted)
    return {name: np.array(of.auroc) for name, of in zip(candidates, found, strict=True)}


def score_rung(
    pipeline: Any,
    inputs: Inputs,
    failed: np.ndarray,
    splits: Splits,
    tick: Tick | None = None,
) -> FoldScores:
    """One rung's scores; the arguments are those of `cross_validate`."""
    scores = cross_validate(pipeline, inputs, failed, splits, tick=tick)
    return FoldScores(scores.tolist())
