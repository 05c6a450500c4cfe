"""What each step of an audit found: frozen records, every number in them, nothing about drawing.

Field names are keys of `audit.json`. What was not done, or is not defined, is None, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SCORED_WRONG = "first token right, word wrong"
"""The kind of failure that may be the scoring rule's and not the model's."""


# Step 1: outcomes


@dataclass(frozen=True)
class PromptOutcome:
    """What the model did on one prompt."""

    prompt: str
    target: str
    generated: str | None
    success: bool
    kind: str
    logit_difference: float | None  # target − foil
    margin: float | None = None  # target − the strongest other token


@dataclass(frozen=True)
class RuleReading:
    """The outcomes under one rule of scoring."""

    failures: int
    accuracy: float
    levels: dict[str, dict[str, int]]  # failures at each level of each factor


# Step 2: factors


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


# Steps 3 and 4: correlates and their classes


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Described:
    """A class's strongest member, described; none of this decides.

    Every approximation in it is poor where the feature fires on few prompts.
    """

    mean_difference: Interval  # of activation, failures − successes; Welch
    cohens_d: Interval | None  # None where infinite
    auroc: Interval  # DeLong
    rate_difference: Interval  # share of failures − of successes on which it fires; Newcombe
    p_welch: float
    p_mann_whitney: float
    small_support: bool  # fires, or is silent, on fewer than 20 prompts


@dataclass(frozen=True)
class StudyRule:
    """The published study's rule: Welch's t with df = min(n) − 1, Holm over all of d_sae."""

    tested: int
    significant: int
    large: int  # of all features, those with |d| > 0.8
    medium: int  # of all features, those with |d| > 0.5
    significant_large: int  # of the significant ones
    significant_medium: int
    top: str | None  # the significant feature with the largest |d|
    top_cohens_d: float | None


@dataclass(frozen=True)
class Proxy:
    """A level of a factor, or a union of its levels, that a class fires with."""

    factor: str
    level: str
    jaccard: float


@dataclass(frozen=True)
class OtherScoring:
    """A class under another rule of scoring."""

    rule: str
    failures: int
    p_deciding: float | None  # None: too few failures or successes under this rule to test
    rate_difference: float | None  # share of failures − of successes on which it fires
    cohens_d: float | None


# Step 5: confounds


@dataclass(frozen=True)
class StrataCount:
    """The strata that some factors make, and how many of them can tell anything."""

    factors: list[str]
    strata: int
    informative: int  # hold both outcomes
    failures_in_them: int


@dataclass(frozen=True)
class Strata:
    """The strata within which the outcomes are permuted, and those of each factor beside them."""

    factors: list[str]
    strata: int
    informative: int
    failures_in_them: int
    named: list[str]  # of `factors`, those that the user asked for
    others: list[StrataCount]  # by each factor alone, and by all together


@dataclass(frozen=True)
class OddsReading:
    """Odds of failure where the class fires against where it is silent, given the factors."""

    odds_ratio: float | None
    low: float | None
    high: float | None
    p_value: float | None


@dataclass(frozen=True)
class Confounds:
    """What a class's strongest member says beyond the prompt's description.

    A stratum is informative for it if both outcomes occur there and its activation varies.
    """

    informative: int
    failures_in_them: int
    effect: Interval | None  # failures − successes within strata, in Cohen's pooled SD
    mantel_haenszel: OddsReading | None
    firth: OddsReading | None  # with every level of the factors in the model


# Step 6: the baseline ladder


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


# Step 7: interventions


@dataclass(frozen=True)
class Flips:
    """Outcomes before and after an intervention, on all prompts where the class fires."""

    prompts: int
    failure_to_success: int
    success_to_failure: int
    p_mcnemar: float  # exact, two-sided


@dataclass(frozen=True)
class Intervention:
    """What setting a class to its mean over the successes does, against matched controls.

    Effects are mean changes of the margin `logit(target) − strongest other logit` at the answer, in
    nats, over the failures where the class fires; the margin's sign is the first token's fate.
    """

    kind: str
    positions: str
    failures: int  # failing prompts on which the class fires: the effect is measured on these
    effect: float
    foil_effect: (
        float | None
    )  # the same of `logit(target) − logit(foil)`: described, not decided by
    control_effect: float  # mean over the controls
    adjusted: float  # effect − control_effect
    low: float  # bootstrap over prompts, 95 %, of the adjusted effect
    high: float
    p_value: float  # (1 + controls with at least the effect) / (controls + 1)
    controls: int
    control_features: int  # of the controls, other features; the rest are random directions
    shown: bool  # p ≤ alpha and the interval excludes 0, on the positive side
    restored: float  # share of those failures whose first token was wrong and becomes right
    control_restored: float
    flips: Flips


# What is concluded


@dataclass(frozen=True)
class ClassReading:
    """An equivalence class of features, ranked by its strongest member (the first)."""

    rank: int  # among all classes of all sites, from 0: the most certain
    features: list[str]
    size: int
    fail_active: int
    success_active: int
    cohens_d: float | None  # failure − success; None where infinite
    auroc: float
    p_fisher: float
    p_holm: float
    p_min_p: float
    p_max_t: float
    p_deciding: float  # twice the smaller of the two: either may decide, and both are looked at
    p_conditional: float | None  # max-T with outcomes permuted within strata; None: not done
    proxy: Proxy | None
    intervention: Intervention | None
    verdict: str
    sentence: str
    described: Described | None = None
    confounds: Confounds | None = None
    other_scoring: list[OtherScoring] | None = None
    flagged_by: list[str] | None = None  # of an ARTEFACT (of a test): the tests that flag it


@dataclass(frozen=True)
class SiteAudit:
    """One dictionary: which of its features go with failure."""

    layer: int | None
    d_sae: int
    tested: int
    significant: dict[str, int]  # min_p, max_t, holm, bh; described: welch, mann_whitney
    convention: dict[str, Any]
    classes: list[ClassReading]
    study_rule: StudyRule | None = None


@dataclass(frozen=True)
class Claim:
    """A line of the claims ledger: what was claimed, and which control it passed or lacks."""

    claim: str
    control: str
    outcome: str  # "passed", "failed", "not done"
    detail: str
