"""Step 2: factors."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LevelReading:
    """One level of a factor against all other prompts."""

    n: int
    """Number of prompts at this level."""
    failures: int
    """Number of them that fail."""
    rate: float
    """Share of them that fail."""
    low: float  # Clopper–Pearson, 95 %
    high: float
    """Upper end of the same interval."""
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
    """Name of the factor."""
    level: str
    """The level."""
    failures: int
    """Number of failures at the level."""
    n: int
    """Number of prompts at the level."""
    rest_failures: int
    """Number of failures at the other levels."""
    rest_n: int
    """Number of prompts at the other levels."""
    p_value: float  # Fisher's, of these four counts: decides
    p_holm: float  # over the levels that could still be taken
    p_stratified: float  # exact, conditional on the strata of the levels taken before: described


@dataclass(frozen=True)
class DroppedLevel:
    """A level that is significant by itself, and no longer once a stronger one is accounted for."""

    factor: str
    """Name of the factor."""
    level: str
    """The level."""
    p_marginal_holm: float
    """Fisher's p against the rest after Holm, over all prompts."""
    p_value: float | None  # outside the levels taken; None where nothing is left to test
    p_holm: float | None
    """The same p after Holm, over the levels that could still be taken."""
    after: list[str]  # factor and level taken just before: with it the significance went


@dataclass(frozen=True)
class Selection:
    """What forward selection took and dropped."""

    selected: list[SelectedLevel]
    """The levels taken, in the order in which they were."""
    dropped: list[DroppedLevel]
    """Levels that are significant by themselves and were not taken."""
    kept: list[str]  # the factors with a selected level, in the order they came in


@dataclass(frozen=True)
class PairReading:
    """Prompts at one level of one factor and at one of another."""

    factors: list[str]
    """Names of the two factors."""
    levels: list[str]
    """Their levels."""
    failures: int
    """Number of failures at both levels."""
    n: int
    """Number of prompts at both levels."""
    rate: float
    """Share of these prompts that fail."""
    low: float  # Clopper–Pearson, 95 %
    high: float
    """Upper end of the same interval."""
    p_value: float  # the pair says more than either level alone
    p_holm: float  # over all pairs tested


@dataclass(frozen=True)
class PairTable:
    """The pairs that are significant, or the strongest few, and how many were tested."""

    tested: int
    """Number of pairs tested."""
    pairs: list[PairReading]
    """The significant pairs, or else the five strongest, by rising p."""

    def factors(self, alpha: float) -> list[str]:
        """The factors of the pairs that are significant at the family-wise level `alpha`."""
        found = [pair for pair in self.pairs if pair.p_holm <= alpha]
        return list(dict.fromkeys(name for pair in found for name in pair.factors))
