"""Step 2: factors."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LevelReading:
    """One level of a factor against all other prompts."""

    n: int
    failures: int
    rate: float
    low: float  # Clopper–Pearson, 95 %
    high: float
    p_value: float  # Fisher's exact test against the rest
    p_holm: float  # over all levels of all factors
    odds_ratio: float | None  # sample odds ratio; None where infinite or undefined


@dataclass(frozen=True)
class TrendReading:
    """Whether failures have larger values of a numeric factor than successes, or smaller ones."""

    auroc: float  # P(failure's value > success's) + P(equal) / 2
    p_value: float  # two-sided, by permutation of the outcome


@dataclass(frozen=True)
class SelectedLevel:
    """A level taken by forward selection; its counts are outside the levels taken before it."""

    factor: str
    level: str
    failures: int
    n: int
    rest_failures: int
    rest_n: int
    p_value: float  # Fisher's, of these four counts: decides
    p_holm: float  # over the levels that could still be taken
    p_stratified: float  # exact, conditional on the strata of the levels taken before: described


@dataclass(frozen=True)
class DroppedLevel:
    """A level that is significant by itself, and no longer once a stronger one is accounted for."""

    factor: str
    level: str
    p_marginal_holm: float
    p_value: float | None  # outside the levels taken; None where nothing is left to test
    p_holm: float | None
    after: list[str]  # factor and level taken just before: with it the significance went


@dataclass(frozen=True)
class Selection:
    """What forward selection took and dropped."""

    selected: list[SelectedLevel]
    dropped: list[DroppedLevel]
    kept: list[str]  # the factors with a selected level, in the order they came in


@dataclass(frozen=True)
class PairReading:
    """Prompts at one level of one factor and at one of another."""

    factors: list[str]
    levels: list[str]
    failures: int
    n: int
    rate: float
    low: float  # Clopper–Pearson, 95 %
    high: float
    p_value: float  # the pair says more than either level alone
    p_holm: float  # over all pairs tested


@dataclass(frozen=True)
class PairTable:
    """The pairs that are significant, or the strongest few, and how many were tested."""

    tested: int
    pairs: list[PairReading]
