"""Steps 3 and 4: correlates and their classes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    """The estimate."""
    low: float
    """Lower end."""
    high: float
    """Upper end."""


@dataclass(frozen=True)
class Described:
    """A class's strongest member, described; none of this decides.

    Where prompts belong together, all intervals are percentiles of a bootstrap over their groups.
    Every approximation in it is poor where the feature fires on few prompts.
    """

    mean_difference: Interval  # of activation, failures − successes; Welch
    cohens_d: Interval | None  # None where infinite
    auroc: Interval  # DeLong
    rate_difference: Interval  # share of failures − of successes on which it fires; Newcombe
    p_welch: float | None
    """Welch's t-test, two-sided, unadjusted; null where prompts belong together."""
    p_mann_whitney: float | None
    """Mann–Whitney's test, normal approximation, two-sided, unadjusted; null likewise."""
    small_support: bool  # fires, or is silent, on fewer than 20 prompts


@dataclass(frozen=True)
class StudyRule:
    """The published study's rule: Welch's t with df = min(n) − 1, Holm over all of d_sae."""

    tested: int
    """Number of features: all of the dictionary."""
    significant: int
    """Number of features that the rule finds."""
    large: int  # of all features, those with |d| > 0.8
    medium: int  # of all features, those with |d| > 0.5
    significant_large: int  # of the significant ones
    significant_medium: int
    """Of the significant ones, those with |d| > 0.5."""
    top: str | None  # the significant feature with the largest |d|
    top_cohens_d: float | None
    """Its d; null without one, or where it is infinite."""


@dataclass(frozen=True)
class Proxy:
    """A level of a factor, or a union of its levels, that a class fires with."""

    factor: str
    """Name of the factor."""
    level: str
    """The level, or a union of levels in words."""
    jaccard: float
    """Jaccard index of firing and being at the level."""


@dataclass(frozen=True)
class Disputed:
    """The failures that another rule of scoring calls successes, beside those that it does not.

    If the class goes with the former and not with the latter, it goes with the scoring.
    """

    failures: int
    """Number of failures that are none under the other rule."""
    active: int
    """Of them, those on which the class fires."""
    agreed: int
    """Number of failures under both rules."""
    agreed_active: int
    """Of them, those on which the class fires."""
    agreed_rate_difference: float | None  # share of them − of successes; null without any
    agreed_cohens_d: float | None
    """Theirs − successes', of the activation; null with fewer than two, or where infinite."""
    p_firing: float  # Fisher's exact, disputed against agreed failures
    p_strength: float  # Mann–Whitney's, likewise; 1 where there are none of one kind


@dataclass(frozen=True)
class OtherScoring:
    """A class under another rule of scoring."""

    rule: str
    """Name of the rule."""
    failures: int
    """Number of prompts that fail under it."""
    p_deciding: float | None  # None: too few failures or successes under this rule to test
    rate_difference: float | None  # share of failures − of successes on which it fires
    cohens_d: float | None
    """Failure − success, of the activation; null where infinite or not tested."""
    rate_interval: Interval | None = None  # of the rate difference; Newcombe
    d_interval: Interval | None = None  # of d: the wider of the standard one and Welch's
    overlap: float | None = None
    """Share of the effect that would be left if the rules disagreed at random: share of the audit's
    failures among those of this rule − among its successes; null where not tested."""
    disputed: Disputed | None = None
    """The audit's failures on which the rules disagree; null where there are none."""
