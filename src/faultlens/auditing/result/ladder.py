"""Step 6: the baseline ladder."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rung:
    """How well failure is predicted: mean AUROC over the folds, or the reason why there is none."""

    auroc: float | None
    """Mean AUROC over the held-out folds; null where there is none."""
    low: float | None  # Nadeau–Bengio, 95 %; None for one repeat, and where nothing is estimated
    high: float | None
    """Upper end of the same interval."""
    reason: str | None
    """Why there is none; null where there is one."""


@dataclass(frozen=True)
class RungDifference:
    """Mean difference of two rungs' AUROCs on the same folds, first − second."""

    first: str
    """Name of the first rung."""
    second: str
    """Name of the second rung."""
    difference: float
    """Mean difference of their AUROCs."""
    low: float | None  # Nadeau–Bengio, 95 %; None for one repeat
    high: float | None
    """Upper end of the same interval."""


@dataclass(frozen=True)
class LeftOut:
    """A rung trained on all other levels of a factor and scored within each level held out."""

    factor: str
    """Name of the factor whose levels are held out in turn."""
    rung: str  # `factors` stands for the other factors
    auroc: float | None  # share of concordant pairs within levels
    low: float | None  # bootstrap over prompts, 95 %
    high: float | None
    """Upper end of the same interval."""
    pairs: int
    """Number of pairs of a failure and a success of one level."""
    levels: int  # that hold pairs
    one_class: list[str]  # levels that hold none
    reason: str | None
    """Why there is no number; null where there is one."""


@dataclass(frozen=True)
class LeftOutDifference:
    """Difference of two rungs at levels that they were not trained on, first − second."""

    factor: str
    """Name of the factor whose levels are held out in turn."""
    first: str
    """Name of the first rung."""
    second: str  # `factors` stands for the other factors
    difference: float
    """Difference of their shares of concordant pairs within levels."""
    low: float  # bootstrap over prompts, 95 %, the same draws for both
    high: float
    """Upper end of the same interval."""


@dataclass(frozen=True)
class Ladder:
    """How the rungs were climbed, their paired differences, and levels they had not seen."""

    scheme: str
    """`repeated` or `study`."""
    repeats: int
    """Repeats of the folds."""
    folds: int
    """Folds a repeat."""
    differences: list[RungDifference]
    """Paired differences of rungs on the same folds."""
    left_out: list[LeftOut]
    """Rungs scored on levels that they were not trained on."""
    left_out_scheme: str = "quick"
    """`quick`, or `strict`: every rung, with the prompts that belong to those held out left out of
    training too."""
    left_out_differences: list[LeftOutDifference] = field(default_factory=list)
    """The rungs of `left_out` against each other, factor by factor."""
