"""Step 6: the baseline ladder."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """How well failure is predicted: mean AUROC over the folds, or the reason why there is none."""

    auroc: float | None
    low: float | None  # Nadeau–Bengio, 95 %; None for one repeat, and where nothing is estimated
    high: float | None
    reason: str | None


@dataclass(frozen=True)
class RungDifference:
    """Mean difference of two rungs' AUROCs on the same folds, first − second."""

    first: str
    second: str
    difference: float
    low: float | None  # Nadeau–Bengio, 95 %; None for one repeat
    high: float | None


@dataclass(frozen=True)
class LeftOut:
    """A rung trained on all other levels of a factor and scored within each level held out."""

    factor: str
    rung: str  # `factors` stands for the other factors
    auroc: float | None  # share of concordant pairs within levels
    low: float | None  # bootstrap over prompts, 95 %
    high: float | None
    pairs: int
    levels: int  # that hold pairs
    one_class: list[str]  # levels that hold none
    reason: str | None


@dataclass(frozen=True)
class Ladder:
    """How the rungs were climbed, their paired differences, and levels they had not seen."""

    scheme: str
    repeats: int
    folds: int
    differences: list[RungDifference]
    left_out: list[LeftOut]
