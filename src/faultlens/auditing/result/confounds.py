"""Step 5: confounds."""

from __future__ import annotations

from dataclasses import dataclass, field

from faultlens.auditing.result.correlates import Interval


@dataclass(frozen=True)
class StrataCount:
    """The strata that some factors make, and how many of them can tell anything."""

    factors: list[str]
    """The factors that make the strata."""
    strata: int
    """Number of strata."""
    informative: int  # hold both outcomes
    failures_in_them: int
    """Number of failures in the informative strata."""


@dataclass(frozen=True)
class Strata:
    """The strata within which the outcomes are permuted, and those of each factor beside them."""

    factors: list[str]
    """The factors that make the strata."""
    strata: int
    """Number of strata."""
    informative: int
    """Number of strata that hold both outcomes."""
    failures_in_them: int
    """Number of failures in the informative strata."""
    requested: list[str]  # of `factors`, those that the user asked for
    others: list[StrataCount]  # by each factor alone, and by all together
    within: list[str] = field(default_factory=list)
    """Of `factors`, those that go with failure only among prompts alike in the others."""
    unheld: list[str] = field(default_factory=list)
    """Factors that go with failure within the strata and are not held: too few failures would be
    left in informative strata."""
    finest: StrataCount | None = None
    """Of all factors that can be held together with at least ten failures, and half of those in
    informative strata, left in such; null where no more than `factors` can."""


@dataclass(frozen=True)
class OddsReading:
    """Odds of failure where the class fires against where it is silent, given the factors."""

    odds_ratio: float | None
    """The estimate; null where it is not defined."""
    low: float | None
    """Lower end of its 95 % interval."""
    high: float | None
    """Upper end of the same interval."""
    p_value: float | None
    """Two-sided, of an odds ratio of 1."""


@dataclass(frozen=True)
class FinestStrata:
    """What a class's strongest member says within the finest strata that tell anything."""

    informative: int
    """Number of strata that hold both outcomes and different activations."""
    failures_in_them: int
    """Number of failures in them."""
    p_value: float
    """As `p_conditional`, adjusted."""
    effect: Interval | None  # failures − successes within strata, in Cohen's pooled SD
    firing: Interval | None  # the same of firing


@dataclass(frozen=True)
class LostWith:
    """A factor beside those held with which a class's effect falls to half or less, to nothing."""

    factor: str
    """The further factor that is held."""
    informative: int
    """Number of strata that hold both outcomes and different activations."""
    failures_in_them: int
    """Number of failures in them."""
    effect: Interval | None  # failures − successes within strata, in Cohen's pooled SD
    firing: Interval | None  # the same of firing


@dataclass(frozen=True)
class Confounds:
    """What a class's strongest member says beyond the prompt's description.

    A stratum is informative for it if both outcomes occur there and its activation varies.
    """

    informative: int
    """Number of strata that hold both outcomes and different activations."""
    failures_in_them: int
    """Number of failures in them."""
    effect: Interval | None  # failures − successes within strata, in Cohen's pooled SD
    mantel_haenszel: OddsReading | None
    """Common odds ratio over the strata; null where it is not defined."""
    firth: OddsReading | None  # with every level of the factors in the model
    firing: Interval | None = None  # as `effect`, of firing
    finest: FinestStrata | None = None
    """The same with all factors held that can be; null where no more can be than are."""
    lost_with: LostWith | None = None
    """The factor with which it is lost, held beside the others one at a time; null: with none."""
