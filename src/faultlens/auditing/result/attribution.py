"""Step 7, the search: what the answers' margin is attributed to, failures against successes."""

from __future__ import annotations

from dataclasses import dataclass

from faultlens.auditing.result.interventions import Effect, Intervention


@dataclass(frozen=True)
class Attributed:
    """A feature's attribution, in nats of the margin: mean over failures, over successes."""

    feature: str
    """Name of the feature."""
    gradient_failures: float  # activation × gradient, summed over positions
    gradient_successes: float
    """The same over successes."""
    integrated_failures: float | None  # integrated gradients
    integrated_successes: float | None
    """The same over successes."""
    in_class: int | None  # rank of the significant class that holds it
    effect: Effect | None  # necessity of what it was tried as; None: not tested
    effect_missing: str | None  # why it was not
    tested_as: list[str] | None = None  # itself, or all of its class, the strongest member first
    intervention: Intervention | None = None  # all that was done to it; its class's is with that
    from_normal: float | None = None
    """On failures where it fires, slope × (activation − its mean over the successes at the same
    role), nats, mean over all failures: to first order what setting it to normal takes off; null in
    older runs."""


@dataclass(frozen=True)
class SiteAttribution:
    """One site's: the error term beside the features, and how well attribution tells effects."""

    site: str
    """Name of the dictionary."""
    prompts: int  # of failures, and of successes, over which integrated gradients were taken
    steps: int  # nodes of the integral: the most that a prompt took
    error_gradient: float  # of the error term: failures − successes
    error_integrated: float | None
    """The same by integrated gradients; null where they were not taken."""
    features_gradient: float  # of all features together: failures − successes
    completeness: float | None  # largest |sum of integrated gradients − difference| over prompts
    top: list[Attributed]
    """The features that attribution ranks first."""
    measured: int  # features whose effect was measured for the agreement
    ranking_agreement: float | None = None
    """Spearman's, over the features measured: of −(attribution, failures − successes), which ranks
    them, and the effect of taking each to its normal activation on failures."""
    ranking_agreement_integrated: float | None = None
    """The same of the ranking by integrated gradients."""
    linearity: float | None = None
    """Spearman's, of slope × change of activation and the effect of that very change."""
    linearity_integrated: float | None = None
    """The same, its slopes averaged on the way from nothing."""
    features_from_normal: float | None = None
    """On failures, slopes × (all features − their mean over the successes at the same role), nats;
    null in older runs."""
    error_from_normal: float | None = None
    """The same of the error term."""
