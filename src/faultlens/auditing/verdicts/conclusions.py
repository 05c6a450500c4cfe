"""Step 10: a verdict for each class, from what the tests and the interventions gave."""

from __future__ import annotations

from collections.abc import Mapping

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.feature_tests.findings import FeatureClass, FeatureFindings
from faultlens.auditing.result import ClassReading, Intervention, SiteAudit, Strata
from faultlens.auditing.verdicts.evidence import Evidence
from faultlens.auditing.verdicts.rules import of_class


def conclude(
    findings: FeatureFindings,
    interventions: Mapping[FeatureSet, Intervention],
    *,
    strata: Strata | None,
    alpha: float,
) -> dict[str, SiteAudit]:
    """Every site with its classes, and the verdict on each.

    Args:
        findings: what the tests of the features gave.
        interventions: what editing a class did; empty: nothing was edited.
        strata: of the conditional tests; None: there are none.
        alpha: the family-wise level.
    """
    classes: dict[str, list[ClassReading]] = {name: [] for name in findings.sites}
    for found in findings.classes:
        done = interventions.get(found.features)
        classes[found.features.site].append(_reading(found, done, findings.tested, strata, alpha))
    return {
        name: SiteAudit(
            layer=site.layer,
            d_sae=site.d_sae,
            tested=site.tested,
            significant=site.significant,
            convention=site.convention,
            classes=classes[name],
            study_rule=site.study_rule,
        )
        for name, site in findings.sites.items()
    }


def _reading(
    found: FeatureClass,
    done: Intervention | None,
    tested: int,
    strata: Strata | None,
    alpha: float,
) -> ClassReading:
    verdict, proxy = of_class(
        Evidence(
            active=(found.fail_active, found.success_active),
            p_deciding=found.p_deciding,
            least_p=found.least_p,
            tested=tested,
            alpha=alpha,
            rate_difference=found.rate_difference,
            cohens_d=found.cohens_d,
            p_smaller=min(found.p_min_p, found.p_max_t),
            by_firing=2 * found.p_min_p <= alpha,
            flagged_by=found.flagged_by,
            other_scoring=found.other_scoring,
            nearest=found.nearest,
            followed=found.followed,
            confounds=found.confounds,
            p_conditional=found.p_conditional,
            p_suppressed=found.p_suppressed,
            held=[] if strata is None else strata.factors,
            unheld=[] if strata is None else strata.unheld,
            finest=[] if strata is None or strata.finest is None else strata.finest.factors,
            intervention=done,
            with_failure=found.with_failure,
            beyond=found.beyond,
        )
    )
    return ClassReading(
        rank=found.rank,
        features=found.features.names,
        size=len(found.features),
        fail_active=found.fail_active,
        success_active=found.success_active,
        cohens_d=found.cohens_d,
        auroc=found.auroc,
        p_fisher=found.p_fisher,
        p_holm=found.p_holm,
        p_min_p=found.p_min_p,
        p_max_t=found.p_max_t,
        p_deciding=found.p_deciding,
        p_conditional=found.p_conditional,
        proxy=proxy,
        intervention=done,
        verdict=verdict,
        described=found.described,
        confounds=found.confounds,
        other_scoring=found.other_scoring,
        p_suppressed=found.p_suppressed,
        flagged_by=found.flagged_by or None,
        beyond=found.beyond,
    )
