"""What is concluded of classes, sites and claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from faultlens.auditing.result.confounds import Confounds
from faultlens.auditing.result.correlates import Described, OtherScoring, Proxy, StudyRule
from faultlens.auditing.result.interventions import Intervention
from faultlens.auditing.result.verdict import Verdict
from faultlens.serialisation import MERGED


@dataclass(frozen=True)
class BeyondClasses:
    """How a class goes with the outcome beyond those that forward selection took before it."""

    classes: list[str]
    """The first feature of each of these."""
    p_value: float
    """Adjusted over all tested features, within strata of prompts on which these are silent, fire
    weakly or fire strongly; of a class that the deciding tests do not find, divided by .2."""
    failures_in_them: int
    """Number of failures in strata that hold both outcomes."""


@dataclass(frozen=True)
class ClassReading:
    """An equivalence class of features, ranked by its strongest member (the first)."""

    rank: int  # among all classes of all sites, from 0: the most certain
    features: list[str]
    """The members, the strongest first."""
    size: int
    """Number of members."""
    fail_active: int
    """Failures on which the strongest member fires."""
    success_active: int
    """Successes on which it fires."""
    cohens_d: float | None  # failure − success; None where infinite
    auroc: float
    """P(failure's activation > success's) + P(equal) / 2: above 0.5 it goes with failure."""
    p_fisher: float
    """Fisher's exact test of firing and outcome, two-sided, unadjusted."""
    p_holm: float
    """The same after Holm over all tested features."""
    p_min_p: float
    """Adjusted p of the step-down min-P permutation test of firing."""
    p_max_t: float
    """Adjusted p of the step-down max-T permutation test of activation."""
    p_deciding: float
    """Twice the smaller of the two, since either may decide; divided by .8 where factors are held,
    since a fifth of alpha goes to what is found within strata only."""
    p_conditional: float | None
    """Twice the smaller p of strength and of firing with outcomes permuted within strata; null: not
    done."""
    proxy: Proxy | None
    """The level that the class stands for; null where it stands for none."""
    intervention: Intervention | None
    """What editing the class did; null where it was not edited."""
    verdict: Verdict = field(metadata=MERGED)
    described: Described | None = None
    """Effects with intervals; described, never decisive."""
    confounds: Confounds | None = None
    """What the class says within strata; null where it is not significant."""
    other_scoring: list[OtherScoring] | None = None
    """The class under other rules of scoring; null where it is not significant."""
    p_suppressed: float | None = None
    """Of a class that goes with the outcome within strata and not over all prompts: `p_conditional`
    divided by .2, its share of alpha; null where it is none."""
    flagged_by: list[str] | None = None  # of an ARTEFACT (of a test): the tests that flag it
    beyond: BeyondClasses | None = None
    """What it says beyond the classes taken before it; null of the first, and where it was not
    taken."""

    @property
    def goes_with(self) -> str:
        """Which outcome it goes with: `failure` or `success`."""
        return "failure" if self.auroc > 0.5 else "success"


@dataclass(frozen=True)
class SiteAudit:
    """One dictionary: which of its features go with failure."""

    layer: int | None
    """Layer of the site; null where it is not known."""
    d_sae: int
    """Number of features in the dictionary."""
    tested: int
    """Number of features that fire on enough prompts to be tested."""
    significant: dict[str, int]  # min_p, max_t, holm, bh; described: welch, mann_whitney
    convention: dict[str, Any]
    """How the activations were read and pooled, by setting."""
    classes: list[ClassReading]
    """The classes that the audit speaks of, the most certain first."""
    study_rule: StudyRule | None = None
    """What the published study's rule finds."""


def ranked_classes(sites: Mapping[str, SiteAudit]) -> list[tuple[str, ClassReading]]:
    """All classes of all sites with their site's name, the most certain first."""
    found = [(name, c) for name, site in sites.items() for c in site.classes]
    return sorted(found, key=lambda pair: pair[1].rank)


def significant_classes(
    sites: Mapping[str, SiteAudit], alpha: float
) -> list[tuple[str, ClassReading]]:
    """The classes that either deciding test finds, with their sites."""
    return [(site, c) for site, c in ranked_classes(sites) if c.p_deciding <= alpha]


def leading_class(sites: Mapping[str, SiteAudit]) -> ClassReading | None:
    """The class to look at first: the most certain that goes with failure, not with success.

    The most certain of all where none goes with failure; None where no feature was tested.
    """
    classes = [reading for _, reading in ranked_classes(sites)]
    with_failure = [reading for reading in classes if reading.auroc > 0.5]
    return next(iter([*with_failure, *classes]), None)


@dataclass(frozen=True)
class Claim:
    """A line of the claims ledger: what was claimed, and which control it passed or lacks.

    A claim is supported if it passes all controls that were done. Where each of several supports it
    in part (`alone`), it is supported in part if it passes any of them.
    """

    claim: str
    """What is claimed."""
    control: str
    """What the claim was held against."""
    outcome: str  # "passed", "failed", "not done"
    detail: str
    """The numbers that decided, or why it was not done."""
    alone: bool = False  # whether passing this control supports the claim, though others fail
