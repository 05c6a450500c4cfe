"""Classes of features, built by hand: one of each verdict, and everything that one may lack."""

from __future__ import annotations

import dataclasses

import cause_samples

from faultlens.auditing.result import (
    ClassReading,
    Confounds,
    Described,
    Interval,
    OddsReading,
    OtherScoring,
    Proxy,
    SiteAudit,
    StudyRule,
    Verdict,
)


def empty(layer: int) -> SiteAudit:
    """A site of which no feature is tested: nothing is counted by any test."""
    rule = StudyRule(1536, 0, 0, 3, 0, 0, None, None)
    return SiteAudit(layer, 1536, 0, {}, {"pooling": "max"}, [], rule)


def site(layer: int) -> SiteAudit:
    """A site with a class of each verdict."""
    significant = {
        "min_p": 12, "max_t": 14, "holm": 11, "bh": 40, "welch": 61, "mann_whitney": 22,
    }  # fmt: skip
    rule = StudyRule(1536, 46, 105, 209, 22, 34, "4-res-mini/91", None)
    classes = _classes()
    return SiteAudit(layer, 1536, 787, significant, {"pooling": "max"}, classes, rule)


def _described() -> Described:
    return Described(
        mean_difference=Interval(3.12, 2.71, 3.53),
        cohens_d=Interval(2.93, 2.55, 3.3),
        auroc=Interval(0.9361, 0.902, 0.970),
        rate_difference=Interval(0.676, 0.542, 0.782),
        p_welch=2.1e-19,
        p_mann_whitney=4.4e-30,
        small_support=False,
    )


def _classes() -> list[ClassReading]:
    first = ClassReading(
        features=[f"4-res-mini/{i}" for i in range(91, 103)],
        size=12,
        fail_active=42,
        success_active=3,
        cohens_d=2.93,
        auroc=0.9361,
        p_fisher=8.8e-33,
        p_holm=6.9e-30,
        p_min_p=1e-4,
        p_max_t=1e-4,
        p_deciding=2e-4,
        rank=0,
        p_conditional=0.031,
        proxy=Proxy("object", "the keys", 0.93),
        intervention=cause_samples.contributes(),
        verdict=Verdict(
            "CONTRIBUTES",
            None,
            "fires on 42 failures and 3 successes (adjusted p = 0.0001); taking it away "
            "moves the answer by +0.84 nats beyond its controls [0.52, 1.17], p = 0.03, and "
            "restores 24% of 42 failures (controls 2%); it fires with object = the keys (Jaccard "
            "0.93)",
        ),
        described=_described(),
        confounds=Confounds(
            informative=6,
            failures_in_them=41,
            effect=Interval(0.41, 0.08, 0.74),
            mantel_haenszel=OddsReading(3.4, 1.2, 9.7, 0.02),
            firth=OddsReading(3.1, 1.1, 9.2, 0.035),
        ),
        other_scoring=[OtherScoring("first-token", 56, 2e-4, 0.61, 2.4)],
    )
    rest = dataclasses.replace(
        first, intervention=None, size=1, p_min_p=2e-3, p_max_t=4e-3, p_deciding=4e-3, proxy=None
    )
    return [
        first,
        dataclasses.replace(
            rest,
            features=["4-res-mini/200"],
            rank=1,
            proxy=Proxy("object", "the keys", 0.98),
            verdict=Verdict(
                "PROXY", "object = the keys", "fires on 40 failures and 2 successes; null proven"
            ),
            intervention=cause_samples.proven_null(),
            p_conditional=0.71,
            confounds=Confounds(2, 21, Interval(0.02, -0.11, 0.15), None, None),
            other_scoring=[OtherScoring("first-token", 56, 0.002, 0.5, None)],
        ),
        *_without_much(rest),
    ]


def _without_much(rest: ClassReading) -> list[ClassReading]:
    """What cannot be known of a class, a different thing for each."""
    scored = OtherScoring("first-token", 56, 0.31, 0.04, 0.1)
    undefined = OddsReading(None, None, None, 1e-6)
    few = dataclasses.replace(_described(), cohens_d=None, small_support=True)
    return [
        dataclasses.replace(
            rest,
            features=["4-res-mini/250"],
            rank=2,
            verdict=Verdict(
                "UNTESTABLE",
                None,
                "fires on 20 failures and 1 success; constant, or with one outcome only, "
                "within every stratum of object × template",
            ),
            p_conditional=1.0,
            confounds=Confounds(0, 0, None, None, None),
        ),
        dataclasses.replace(
            rest,
            features=["4-res-mini/300"],
            rank=3,
            cohens_d=None,
            verdict=Verdict(
                "CORRELATE", None, "fires on 9 failures and 4 successes; effect inconclusive"
            ),
            intervention=cause_samples.inconclusive(),
            described=few,
            confounds=Confounds(
                5, 30, Interval(0.8, 0.3, 1.3), undefined, OddsReading(0.0, None, None, None)
            ),
        ),
        dataclasses.replace(
            rest,
            features=["4-res-mini/350"],
            rank=4,
            verdict=Verdict(
                "ARTEFACT",
                "of scoring",
                "fires on 12 failures and 9 successes; under the rule first-token it is not "
                "significant",
            ),
            other_scoring=[scored],
        ),
        dataclasses.replace(
            rest,
            features=["4-res-mini/375"],
            rank=5,
            p_min_p=0.2,
            p_max_t=0.3,
            p_deciding=0.4,
            verdict=Verdict(
                "ARTEFACT",
                "of a test",
                "fires on 9 failures and 4 successes; flagged by Welch + Holm",
            ),
            confounds=None,
            other_scoring=None,
            flagged_by=["Welch + Holm", "Mann–Whitney + Holm"],
        ),
        dataclasses.replace(
            rest,
            features=["4-res-mini/400"],
            rank=6,
            p_min_p=0.4,
            p_max_t=0.6,
            p_deciding=1.0,
            verdict=Verdict(
                "NOT SIGNIFICANT", None, "fires on 6 failures and 9 successes; adjusted p = 0.4"
            ),
            p_conditional=None,
            confounds=None,
            other_scoring=None,
        ),
    ]
