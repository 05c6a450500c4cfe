"""The claims ledger: what passed, what failed, and what was not done, with the reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from faultlens.auditing.held_out.ladder import LadderFindings
from faultlens.auditing.interventions.causal_findings import CausalFindings
from faultlens.auditing.replication.claims import OTHER_HALF, OTHER_SEEDS
from faultlens.auditing.result import (
    AfterFind,
    Claim,
    ClassReading,
    Confounds,
    Effect,
    FinestStrata,
    Flips,
    Interval,
    Intervention,
    Ladder,
    LostWith,
    OtherScoring,
    Proxy,
    Robustness,
    Rung,
    RungDifference,
    Strata,
    StrataCount,
    UnderRewordings,
    Verdict,
)
from faultlens.auditing.verdicts.ledger import ledger

STRATA = Strata(
    ["object", "template"], 32, 12, 40, [], [StrataCount(["object"], 8, 6, 61),
    StrataCount(["template"], 4, 4, 61), StrataCount(["object", "template"], 32, 12, 40)],
)  # fmt: skip
READING = ClassReading(
    rank=0,
    features=["8-res-jb/17491", "8-res-jb/1"],
    size=2,
    fail_active=42,
    success_active=3,
    cohens_d=2.9,
    auroc=0.84,
    p_fisher=1e-32,
    p_holm=1e-29,
    p_min_p=1e-4,
    p_max_t=1e-4,
    p_deciding=2e-4,
    p_conditional=0.012,
    proxy=None,
    intervention=None,
    verdict=Verdict("CORRELATE", None, ""),
    confounds=Confounds(12, 40, Interval(0.9, 0.4, 1.4), None, None),
    other_scoring=[
        OtherScoring("first-token", 56, 0.0002, 0.55, 1.8),
        OtherScoring("contains", 41, 0.004, 0.5, 1.7),
        OtherScoring("named-later", 3, None, None, None),
    ],
)
NECESSITY = Effect(
    claim="necessity", kind="set to the successes' mean", on="failures where the class fires",
    positions="where the class fires", prompts=42, change=1.1, control_change=0.26, adjusted=0.84,
    low=0.4, high=1.2, low_90=0.5, high_90=1.1, p_value=0.005, p_holm=0.02, controls=199,
    control_features=60, shown=True, turned=11, turned_share=0.25, control_turned_share=0.02,
    turned_low=0.1, turned_high=0.3, foil_change=None,
)  # fmt: skip
INTERVENTION = Intervention(NECESSITY, None, "too few", Flips(45, 11, 1, 0.006), [], None)
RIVALS = ("factors", "bag_of_tokens", "residual", "random_dictionary")
RUNGS = {name: Rung(0.9, 0.85, 0.95, None) for name in ("sae_all", "sae_top_k", *RIVALS)}
GOES, SAYS, MATTERS = (
    "8-res-jb/17491 goes with failure",
    "8-res-jb/17491 says more than the prompt's factors",
    "8-res-jb/17491 matters for failure",
)
PREDICTS = "features predict failure better than the prompt's description"
SWITCHED_OFF = Claim(PREDICTS, "baseline ladder", "not done", "it was switched off")


def climbed(*differences: RungDifference, **rungs: Rung) -> LadderFindings:
    ladder = Ladder("repeated", 10, 5, list(differences), [])
    return LadderFindings({**RUNGS, **rungs}, ladder)


def claims_of(
    leading: ClassReading | None,
    *,
    strata: Strata | None = STRATA,
    causes: CausalFindings | None = None,
    robustness: Robustness | None = None,
    ladder: LadderFindings | None = None,
) -> list[Claim]:
    return ledger(
        leading,
        tested=700,
        alpha=0.05,
        strata=strata,
        causes=causes or CausalFindings(),
        robustness=robustness,
        ladder=ladder,
    )


def of_leading(reading: ClassReading, strata: Strata | None = STRATA) -> list[Claim]:
    claims = claims_of(reading, strata=strata)
    assert claims.pop() == SWITCHED_OFF
    return claims


def only(claims: list[Claim], control: str) -> Claim:
    (claim,) = [claim for claim in claims if claim.control.startswith(control)]
    return claim


def test_a_correlate_passes_what_was_done_and_lacks_the_rest() -> None:
    assert of_leading(READING) == [
        Claim(
            GOES,
            "family-wise error over all 700 features (min-P or max-T, doubled)",
            "passed",
            "adjusted p = 0.0002",
        ),
        Claim(
            GOES,
            "other rules of scoring",
            "passed",
            "largest adjusted p = 0.004, under contains (41 failures)",
        ),
        Claim(GOES, OTHER_SEEDS, "not done", "no prompts from other seeds were run"),
        Claim(GOES, OTHER_HALF, "not done", "the prompts were not halved"),
        Claim(SAYS, "no copy of a level (Jaccard below 0.95)", "passed", "no level reaches 0.95"),
        Claim(
            SAYS,
            "conditional on object × template (strength or firing within strata, doubled)",
            "passed",
            "adjusted p = 0.012; 40 failures in 12 informative strata",
        ),
        Claim(MATTERS, "intervention", "not done", "no model was run"),
    ]


def test_a_class_that_a_model_could_have_tried_has_the_reason_why_it_was_not() -> None:
    reason = "the audit was asked to test no class (test_classes = 0)"
    not_tested = {READING.features[0]: reason, "8-res-jb/1": "another"}
    claims = claims_of(READING, causes=CausalFindings(not_tested=not_tested))
    assert only(claims, "intervention") == Claim(MATTERS, "intervention", "not done", reason)


def test_what_does_not_go_with_failure_is_not_asked_whether_it_matters() -> None:
    claims = of_leading(
        replace(READING, p_deciding=0.051, verdict=Verdict("NOT SIGNIFICANT", None, ""))
    )
    assert [(claim.claim, claim.outcome) for claim in claims] == [
        (GOES, "failed"),
        (MATTERS, "not done"),
    ]
    assert claims[1].detail == "it does not go with failure beyond chance"


def test_what_is_found_within_strata_only_is_held_against_them() -> None:
    within = replace(READING, p_deciding=0.4, p_suppressed=0.03, p_conditional=0.006)
    claims = of_leading(within)
    assert claims[0].outcome == "failed"
    assert only(claims, "conditional on object × template").outcome == "passed"
    untold = only(claims, "told from what a collider makes")
    assert (untold.claim, untold.outcome) == (MATTERS, "not done")
    assert untold.detail == (
        "it goes with failure only among prompts alike in object × template: a cause that object × "
        "template hides, or no cause, object × template being a consequence of it and of failure "
        "(a collider); only an intervention tells"
    )
    assert not [c for c in of_leading(READING) if "collider" in c.control]


def test_a_copy_of_a_level_fails_and_the_level_is_named() -> None:
    copy = replace(READING, proxy=Proxy("object", "the keys", 0.95), p_conditional=1.0)
    claims = of_leading(copy)
    assert only(claims, "no copy").outcome == "failed"
    assert only(claims, "no copy").detail == "object = the keys, 0.95"
    assert only(claims, "conditional on object × template").outcome == "failed"
    near = only(of_leading(replace(READING, proxy=Proxy("object", "the keys", 0.6))), "no copy")
    assert (near.outcome, near.detail) == ("passed", "object = the keys, 0.6")


def test_an_artefact_of_scoring_fails_the_other_rules() -> None:
    other = [OtherScoring("first-token", 56, 0.3, 0.1, 0.4)]
    claim = only(
        of_leading(
            replace(
                READING,
                verdict=Verdict("ARTEFACT", "of scoring", "it halves"),
                other_scoring=other,
            )
        ),
        "other rules",
    )
    assert (claim.outcome, claim.detail) == ("failed", "it halves")


@pytest.mark.parametrize("other", [None, [], [OtherScoring("first-token", 3, None, None, None)]])
def test_a_rule_that_could_not_be_applied_is_not_passed(other: list[OtherScoring] | None) -> None:
    claim = only(of_leading(replace(READING, other_scoring=other)), "other rules")
    assert claim.outcome == "not done"
    assert claim.detail == (
        "no other rule can be applied, none differs, or too few prompts fail under it"
    )


@pytest.mark.parametrize(
    ("change", "strata", "control", "detail"),
    [
        ({}, None, "conditional on the prompt's factors", "no factors"),
        (
            {},
            replace(STRATA, factors=[]),
            "conditional on the prompt's factors",
            "no factor was shown to go with failure",
        ),
        (
            {"confounds": Confounds(0, 0, None, None, None), "p_conditional": 1.0},
            STRATA,
            "conditional on object × template (strength or firing within strata, doubled)",
            "no stratum is informative",
        ),
    ],
)
def test_a_comparison_within_strata_that_cannot_be_made_is_not_passed(
    change: dict[str, object], strata: Strata | None, control: str, detail: str
) -> None:
    claim = only(of_leading(replace(READING, **change), strata), "conditional")  # type: ignore[arg-type]
    assert (claim.control, claim.outcome, claim.detail) == (control, "not done", detail)


@pytest.mark.parametrize(
    ("p", "left", "outcome", "detail"),
    [
        (0.03, 0.1, "passed", "adjusted p = 0.03; 20 failures in 9 informative strata"),
        (
            0.3,
            0.1,
            "failed",
            "adjusted p = 0.3; 20 failures in 9 informative strata; its effect falls to half or "
            "less",
        ),
        (
            0.3,
            0.8,
            "not done",
            "too little is left to tell: adjusted p = 0.3; 20 failures in 9 informative strata; "
            "more than half of its effect is left",
        ),
    ],
)
def test_the_claim_is_held_against_all_factors_that_can_be_held(
    p: float, left: float, outcome: str, detail: str
) -> None:
    whole, fine = Interval(0.9, 0.4, 1.4), Interval(left, left - 0.5, left + 0.5)
    finest = FinestStrata(9, 20, p, fine, None)
    within = Confounds(6, 40, whole, None, None, finest=finest)
    factors = ["object", "template", "place"]
    strata = replace(STRATA, finest=StrataCount(factors, 30, 9, 20))
    claims = of_leading(replace(READING, confounds=within), strata)
    claim = only(claims, "conditional on object × template × place")
    assert (claim.outcome, claim.detail) == (outcome, detail)


def test_a_claim_that_one_more_factor_takes_away_fails() -> None:
    lost = LostWith("place", 7, 22, Interval(0.1, -0.5, 0.7), None)
    within = Confounds(6, 40, Interval(0.9, 0.4, 1.4), None, None, lost_with=lost)
    claims = of_leading(replace(READING, confounds=within))
    claim = only(claims, "conditional on object × template × place")
    assert (claim.outcome, claim.detail) == (
        "failed",
        "its effect falls to half or less, and may be none; 22 failures in 7 informative strata",
    )


def test_without_factors_nothing_is_said_of_copies() -> None:
    for strata in (None, replace(STRATA, factors=[], others=[])):
        assert not [c for c in of_leading(READING, strata) if c.control.startswith("no copy")]


@pytest.mark.parametrize(("shown", "outcome"), [(True, "passed"), (False, "failed")])
def test_an_intervention_passes_or_fails_necessity_and_sufficiency_is_open(
    shown: bool, outcome: str
) -> None:
    done = replace(INTERVENTION, necessity=replace(NECESSITY, shown=shown))
    claims = of_leading(replace(READING, intervention=done))[-2:]
    assert claims == [
        Claim(
            MATTERS,
            "necessity against 199 matched controls (60 other features, the rest random "
            "directions)",
            outcome,
            "+0.84 nats [0.4, 1.2], p after Holm 0.02",
            alone=True,
        ),
        Claim(MATTERS, "sufficiency", "not done", "too few", alone=True),
    ]


def test_without_features_the_ladder_alone_is_told() -> None:
    assert claims_of(None, strata=None) == [SWITCHED_OFF]


def test_features_pass_a_rung_only_where_the_interval_is_above_zero() -> None:
    ladder = climbed(
        RungDifference("sae_all", "factors", 0.03, -0.01, 0.07),
        RungDifference("sae_all", "bag_of_tokens", 0.05, 0.01, 0.09),
        RungDifference("sae_all", "residual", 0.02, 0.0, 0.04),
        RungDifference("sae_top_k", "random_dictionary", 0.3, 0.2, 0.4),
        RungDifference("random_dictionary", "sae_all", -0.3, -0.4, -0.2),
    )
    unclimbed = {"random_dictionary": Rung(None, None, None, "needs token residuals")}
    claims = claims_of(None, ladder=replace(ladder, baselines={**RUNGS, **unclimbed}))
    assert {claim.claim for claim in claims} == {PREDICTS}
    assert [(claim.control, claim.outcome, claim.detail) for claim in claims] == [
        (
            "all features against factors, on the same held-out folds",
            "failed",
            "+0.03 AUROC [−0.01, 0.07]",
        ),
        (
            "all features against bag of tokens, on the same held-out folds",
            "passed",
            "+0.05 AUROC [0.01, 0.09]",
        ),
        (
            "all features against residual, on the same held-out folds",
            "failed",
            "+0.02 AUROC [0, 0.04]",
        ),
        (
            "all features against random dictionary, on the same held-out folds",
            "not done",
            "needs token residuals",
        ),
    ]


def test_a_rung_that_was_not_climbed_gives_its_own_reason_first() -> None:
    none = Rung(None, None, None, "needs features: none were given")
    claims = claims_of(None, ladder=climbed(sae_all=none))
    assert {(claim.outcome, claim.detail) for claim in claims} == {
        ("not done", "needs features: none were given")
    }
    assert {c.detail for c in claims_of(None, ladder=climbed())} == {"not compared"}


def test_one_split_has_no_interval_and_decides_nothing() -> None:
    pairs = [RungDifference("sae_all", rival, 0.1, None, None) for rival in RIVALS]
    claims = claims_of(None, ladder=climbed(*pairs))
    assert {(claim.outcome, claim.detail) for claim in claims} == {
        ("not done", "+0.1, one split: no interval")
    }


def test_the_ladder_stands_after_the_leading_class() -> None:
    pairs = [RungDifference("sae_all", rival, 0.1, 0.05, 0.15) for rival in RIVALS]
    claims = claims_of(READING, ladder=climbed(*pairs))
    assert [claim.claim for claim in claims[-4:]] == [PREDICTS] * 4
    assert PREDICTS not in [claim.claim for claim in claims[:-4]]


def test_what_became_of_an_effect_in_the_users_other_words_is_a_claim() -> None:
    def claim(again: UnderRewordings) -> Claim:
        after = AfterFind(None, None, None, [], [], again)
        done = replace(INTERVENTION, after=after)
        found: Claim = only(of_leading(replace(READING, intervention=done)), "the same edit")
        return found

    again = UnderRewordings(36, 33, 31, 30, 2.1, 1.6, 2.6, 2.4, 25, 30)
    assert claim(again) == Claim(
        MATTERS,
        "the same edit where the user asks in other words",
        "passed",
        "+2.1 nats [1.6, 2.6] (+2.4 as asked) on 30 rewordings, of which 25 of 30 turn right; of "
        "36 rewordings of its failures 33 fail",
    )
    assert claim(replace(again, low=-0.1)).outcome == "failed"
    none = UnderRewordings(3, 1, 1, 0, None, None, None, None, 0, 0, "too few fail")
    assert (claim(none).outcome, claim(none).detail) == ("not done", "too few fail")
    without = of_leading(replace(READING, intervention=INTERVENTION))
    assert not [one for one in without if "other words" in one.control]
