"""The table of verdicts, row by row, and its order: the first row that holds wins."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultlens.auditing.result import (
    Confounds,
    Disputed,
    Effect,
    FinestStrata,
    Flips,
    Interval,
    Intervention,
    LostWith,
    Null,
    OtherScoring,
    Proxy,
)
from faultlens.auditing.result.verdict import Verdict
from faultlens.auditing.verdicts.evidence import Evidence
from faultlens.auditing.verdicts.rules import (
    beyond,
    of_audit,
    of_class,
    proxy_of,
)
from faultlens.auditing.verdicts.scoring_artefact import scoring_artefact
from faultlens.numbers import signed

KEYS = Proxy("object", "the keys", 0.97)
NEAR = Proxy("object", "the keys", 0.94)
NOTHING_LEFT = Confounds(6, 40, Interval(0.02, -0.15, 0.19), None, None)
SOMETHING_LEFT = Confounds(6, 40, Interval(0.9, 0.4, 1.4), None, None)
NO_STRATUM = Confounds(0, 0, None, None, None)
LOST = replace(
    SOMETHING_LEFT,
    firing=Interval(1.1, 0.5, 1.7),
    finest=FinestStrata(9, 25, 0.3, Interval(0.3, -0.2, 0.8), Interval(-0.1, -0.6, 0.4)),
)
AGREED = Disputed(5, 4, 56, 40, 0.6, 1.9, 0.9, 0.8)
HOLDS = OtherScoring(
    "first-token",
    56,
    0.001,
    0.55,
    1.8,
    Interval(0.55, 0.4, 0.7),
    Interval(1.8, 1.4, 2.2),
    0.9,
    AGREED,
)
NOT_UNDER = replace(HOLDS, failures=6, p_deciding=0.4)
HALVES = OtherScoring(
    "contains", 41, 0.001, 0.3, 0.9, Interval(0.3, 0.1, 0.5), Interval(0.9, 0.5, 1.3), 0.9
)
CARRIES = replace(HOLDS, disputed=Disputed(30, 29, 6, 0, 0.0, -0.1, 1e-4, 1e-5))
TOO_FEW = OtherScoring("named-later", 3, None, None, None)

FOUND = Evidence(
    active=(42, 3),
    p_deciding=0.002,
    least_p=1e-30,
    tested=700,
    alpha=0.05,
    rate_difference=0.6,
    cohens_d=2.0,
    nearest=NEAR,
    followed=NEAR,
    confounds=SOMETHING_LEFT,
    p_conditional=0.004,
    held=("object", "template"),
    other_scoring=(HOLDS,),
)
MISSED = replace(FOUND, p_deciding=0.3, confounds=None, other_scoring=None)


def done(
    shown: bool, enough: bool = False, turned: float = 0.25, null: bool = False
) -> Intervention:
    """Necessity, and sufficiency where `enough` says so, shown or not."""
    need = Effect(
        "necessity", "set to the successes' mean", "failures where the class fires",
        "where the class fires", 42, 1.1, 0.26, 0.84, 0.4, 1.2, 0.5, 1.1, 0.002,
        0.005 if shown else 0.3, 199, 60, shown, round(42 * turned), turned, 0.02, turned - 0.2,
        turned + 0.1, None,
    )  # fmt: skip
    other = replace(
        need, claim="sufficiency", on="successes", adjusted=-0.5, low=-0.7, high=-0.3,
        p_holm=0.01, shown=enough, turned_share=0.4, control_turned_share=0.1,
    )  # fmt: skip
    proven = Null(
        gap=6.0, bound=0.6, restoration_high=0.08, restoration_bound=0.1, few_restored=True,
        positive_control_restored=0.9, positive_control_prompts=40, positive_control_bound=0.5,
        within=True, positive_control_passed=True, proven=True,
    )  # fmt: skip
    return Intervention(need, other, None, Flips(45, 11, 1, 0.006), [], proven if null else None)


def test_an_artefact_of_a_test_is_flagged_could_have_been_found_and_was_not() -> None:
    """Row 2."""
    verdict, proxy = of_class(replace(MISSED, flagged_by=["the study's rule", "Welch + Holm"]))
    assert verdict.label == "ARTEFACT (of a test)"
    assert proxy is None
    assert verdict.sentence == (
        "fires on 42 failures and 3 successes; flagged by the study's rule and Welch + Holm, but "
        "by neither deciding test (adjusted p = 0.3), which could have found it (least attainable "
        "p = 1.0e-30)"
    )


def test_a_test_that_alone_reaches_the_level_makes_no_artefact() -> None:
    """One of the two tests has p = .03; since both were looked at it counts twice, .06."""
    between = replace(MISSED, p_deciding=0.06, p_smaller=0.03, flagged_by=["Welch + Holm"])
    assert of_class(between)[0].label == "NOT SIGNIFICANT"
    assert of_class(replace(between, p_smaller=None))[0].label == "NOT SIGNIFICANT"
    assert of_class(replace(between, p_deciding=0.12, p_smaller=0.06))[0].label.startswith(
        "ARTEFACT"
    )


@pytest.mark.parametrize("flagged_by", [[], ["Welch + Holm"]])
def test_a_class_whose_support_could_never_be_significant_is_underpowered(
    flagged_by: list[str],
) -> None:
    """Row 3: no artefact either, whatever flags it. The limit α / m itself is attainable."""
    rare = replace(MISSED, active=(3, 2), least_p=7.2e-5, tested=700, flagged_by=flagged_by)
    verdict, _ = of_class(rare)
    assert verdict.label == "UNDERPOWERED"
    assert verdict.sentence == (
        "fires on 3 failures and 2 successes; the least p its support admits is 7.2e-5, above "
        "0.05 / 700"
    )
    assert of_class(replace(rare, least_p=0.05 / 700))[0].label != "UNDERPOWERED"


def test_what_could_have_been_found_and_was_not_has_no_verdict() -> None:
    verdict, _ = of_class(MISSED)
    assert verdict.label == "NOT SIGNIFICANT"
    assert verdict.sentence == "fires on 42 failures and 3 successes; adjusted p = 0.3"


def test_what_is_not_significant_where_few_fail_is_no_artefact() -> None:
    """The cause of failures of which the other rule forgives most keeps its effect in the rest."""
    found = replace(FOUND, other_scoring=(HOLDS, NOT_UNDER))
    assert of_class(found)[0].label == "CORRELATE"


def test_an_artefact_of_scoring_has_half_the_effect_under_another_rule() -> None:
    """Row 4."""
    verdict, _ = of_class(replace(FOUND, other_scoring=(HOLDS, HALVES)))
    assert verdict.label == "ARTEFACT (of scoring)"
    assert verdict.sentence.endswith(
        "under the rule contains (41 failures) its rate difference falls from +0.6 to +0.3 "
        "[0.1, 0.5]"
    )


def test_a_halved_effect_that_may_be_as_large_as_before_is_no_artefact() -> None:
    wide = replace(HALVES, rate_interval=Interval(0.3, -0.1, 0.6))
    assert scoring_artefact(replace(FOUND, other_scoring=(wide,))) == ""
    random = replace(HALVES, overlap=0.8)  # 0.48 is what disagreement at random would leave
    assert scoring_artefact(replace(FOUND, other_scoring=(random,))) == ""
    assert scoring_artefact(replace(FOUND, other_scoring=(replace(HALVES, overlap=0.84),)))


def test_an_artefact_of_scoring_goes_with_the_failures_on_which_the_rules_disagree() -> None:
    verdict, _ = of_class(replace(FOUND, other_scoring=(CARRIES,)))
    assert verdict.label == "ARTEFACT (of scoring)"
    assert verdict.sentence == (
        "fires on 42 failures and 3 successes (adjusted p = 0.002); under the rule first-token (56 "
        "failures) it goes with the 30 failures that are none, of which it fires on 29, and not "
        "with the 6 that are, of which it fires on 0 (p = 0.0001); with these alone its rate "
        "difference falls from +0.6 to 0"
    )
    by_strength = replace(FOUND, by_firing=False, other_scoring=(CARRIES,))
    assert "with these alone its d falls from +2 to −0.1" in scoring_artefact(by_strength)


@pytest.mark.parametrize(
    "disputed",
    [
        None,
        replace(CARRIES.disputed, p_firing=0.011, p_strength=0.011),
        replace(CARRIES.disputed, agreed_rate_difference=0.31, agreed_cohens_d=1.1),
        replace(CARRIES.disputed, agreed_rate_difference=None, agreed_cohens_d=None),
    ],
)
def test_failures_on_which_the_rules_disagree_may_differ_by_chance(
    disputed: Disputed | None,
) -> None:
    others = (HOLDS, replace(HOLDS, disputed=disputed))
    for by_firing in (True, False):
        assert scoring_artefact(replace(FOUND, by_firing=by_firing, other_scoring=others)) == ""


def test_no_artefact_is_called_over_a_shown_intervention() -> None:
    verdict, _ = of_class(replace(FOUND, other_scoring=(HALVES,), intervention=done(shown=True)))
    assert verdict.label == "CONTRIBUTES"
    assert verdict.sentence.endswith(
        "; yet under the rule contains (41 failures) its rate difference falls from +0.6 to +0.3 "
        "[0.1, 0.5]"
    )


@pytest.mark.parametrize(
    ("before", "after", "artefact"),
    [(0.6, 0.31, False), (0.6, 0.3, True), (0.6, -0.6, True), (0.6, 0.9, False),
     (-0.6, -0.31, False), (-0.6, -0.3, True), (-0.6, 0.6, True)],
)  # fmt: skip
def test_an_effect_halves_in_its_own_direction(before: float, after: float, artefact: bool) -> None:
    by_firing = replace(
        FOUND,
        rate_difference=before,
        other_scoring=(
            replace(HOLDS, rate_interval=Interval(after, after - 0.1, after + 0.1), disputed=None),
        ),
    )
    assert bool(scoring_artefact(by_firing)) is artefact
    by_strength = replace(
        FOUND,
        by_firing=False,
        rate_difference=0.0,
        cohens_d=before,
        other_scoring=(
            replace(
                HOLDS,
                rate_interval=None,
                d_interval=Interval(after, after - 0.1, after + 0.1),
                disputed=None,
            ),
        ),
    )
    why = scoring_artefact(by_strength)
    assert bool(why) is artefact
    assert not why or f"its d falls from {signed(before)} to {signed(after)}" in why


@pytest.mark.parametrize("other", [None, (), (TOO_FEW,)])
def test_a_rule_that_was_not_or_cannot_be_applied_accuses_nobody(
    other: tuple[OtherScoring, ...] | None,
) -> None:
    assert scoring_artefact(replace(FOUND, other_scoring=other)) == ""


@pytest.mark.parametrize(("before", "after"), [(None, 0.1), (2.0, None)])
def test_an_effect_that_is_infinite_is_not_halved(
    before: float | None, after: float | None
) -> None:
    narrow = None if after is None else Interval(after, after - 0.1, after + 0.1)
    other = (replace(HOLDS, d_interval=narrow),)
    found = replace(FOUND, by_firing=False, cohens_d=before, other_scoring=other)
    assert scoring_artefact(found) == ""


def test_a_class_whose_intervention_is_shown_contributes() -> None:
    """Row 6, which comes before the proxy and keeps its level."""
    verdict, proxy = of_class(replace(FOUND, nearest=KEYS, intervention=done(shown=True)))
    assert (verdict.label, proxy) == ("CONTRIBUTES", KEYS)
    assert verdict.sentence == (
        "fires on 42 failures and 3 successes (adjusted p = 0.002); taking it away moves the "
        "answer by +0.84 nats beyond its controls [0.4, 1.2], p = 0.005, and restores 25% of 42 "
        "failures (controls 2%); it fires with object = the keys (Jaccard 0.97)"
    )
    alone, alone_proxy = of_class(replace(FOUND, intervention=done(shown=True)))
    assert alone_proxy is None
    assert alone.sentence.endswith("(controls 2%)")


def test_a_cause_takes_both_effects_and_half_of_the_failures() -> None:
    """Row 5, which comes before the proxy and keeps its level."""
    whole = done(shown=True, enough=True, turned=0.6)
    verdict, proxy = of_class(replace(FOUND, nearest=KEYS, intervention=whole))
    assert (verdict.label, proxy) == ("CAUSE", KEYS)
    assert verdict.sentence == (
        "fires on 42 failures and 3 successes (adjusted p = 0.002); taking it away moves the "
        "answer by +0.84 nats beyond its controls [0.4, 1.2], p = 0.005, and restores 60% of 42 "
        "failures (controls 2%); bringing it in moves the answer by −0.5 nats beyond its controls "
        "[−0.7, −0.3], p = 0.01, and breaks 40% of 42 successes (controls 10%); it fires with "
        "object = the keys (Jaccard 0.97)"
    )
    for lacking in (
        done(shown=True, enough=False, turned=0.6),
        done(shown=False, enough=True, turned=0.6),
        done(shown=True, enough=True, turned=0.51),  # 0.49 beyond the controls
    ):
        assert of_class(replace(FOUND, intervention=lacking))[0].label == "CONTRIBUTES"


def test_a_proven_null_is_said_with_what_proves_it() -> None:
    verdict, _ = of_class(replace(FOUND, nearest=KEYS, intervention=done(shown=False, null=True)))
    assert verdict.label == "PROXY of object = the keys"
    assert verdict.sentence.endswith(
        "null proven (+0.84 nats [0.5, 1.1] within ±0.6; at most 8% restored, where patching "
        "the whole value restores 90%)"
    )


def test_a_class_that_copies_a_level_is_its_proxy() -> None:
    """Row 7, first clause."""
    verdict, proxy = of_class(replace(FOUND, nearest=KEYS))
    assert (verdict.label, proxy) == ("PROXY of object = the keys", KEYS)
    assert verdict.sentence == (
        "fires on 42 failures and 3 successes (adjusted p = 0.002); it fires with object = the "
        "keys (Jaccard 0.97); effect not tested"
    )
    assert of_class(replace(FOUND, nearest=replace(KEYS, jaccard=0.95)))[1] is not None
    assert of_class(replace(FOUND, nearest=replace(KEYS, jaccard=0.949)))[1] is None


def test_a_class_of_which_nothing_is_left_within_strata_is_a_proxy_of_what_is_held() -> None:
    """Row 7, second clause: named is the level of a held factor, not the nearest of all."""
    gym = Proxy("place", "the gym", 0.6)
    verdict, proxy = of_class(
        replace(FOUND, confounds=NOTHING_LEFT, nearest=gym, p_conditional=0.9)
    )
    assert (verdict.label, proxy) == ("PROXY of object = the keys", NEAR)
    assert verdict.sentence == (
        "fires on 42 failures and 3 successes (adjusted p = 0.002); within object × template less "
        "than 0.2 SD is left of it: +0.02 SD [−0.15, 0.19] over 40 failures; it is strongest with "
        "object = the keys (Jaccard 0.94); effect not tested"
    )


@pytest.mark.parametrize(
    "within",
    [
        None,
        replace(NOTHING_LEFT, failures_in_them=9),
        replace(NOTHING_LEFT, effect=None),
        replace(NOTHING_LEFT, effect=Interval(0.02, -0.21, 0.19)),
        replace(NOTHING_LEFT, effect=Interval(0.02, -0.15, 0.21)),
    ],
)
def test_absence_is_not_read_from_an_effect_that_may_be_there(within: Confounds | None) -> None:
    assert proxy_of(replace(FOUND, confounds=within)) == (None, "")


def test_without_a_factor_nothing_is_a_proxy() -> None:
    bare = replace(FOUND, nearest=None, followed=None, held=(), confounds=NOTHING_LEFT)
    assert proxy_of(bare) == (None, "")
    assert proxy_of(replace(bare, held=("object",), followed=NEAR))[0] == NEAR


def test_a_class_that_no_stratum_can_judge_is_untestable_and_names_the_factors() -> None:
    """Row 8."""
    verdict, proxy = of_class(replace(FOUND, confounds=NO_STRATUM, p_conditional=1.0))
    assert (verdict.label, proxy) == ("UNTESTABLE", None)
    assert verdict.sentence == (
        "fires on 42 failures and 3 successes (adjusted p = 0.002); constant, or with one outcome "
        "only, within every stratum of object × template: whether it says more than they do cannot "
        "be known here; effect not tested"
    )
    assert of_class(replace(FOUND, confounds=NO_STRATUM, nearest=KEYS))[0].label.startswith("PROXY")


def test_every_other_significant_class_is_a_correlate() -> None:
    """Row 9: adds, or is not shown to add."""
    verdict, proxy = of_class(FOUND)
    assert (verdict.label, proxy) == ("CORRELATE", None)
    assert verdict.sentence == (
        "fires on 42 failures and 3 successes (adjusted p = 0.002); adds beyond object × template "
        "(adjusted p = 0.004, +0.9 SD [0.4, 1.4]; 40 failures in 6 informative strata); "
        "effect not tested"
    )
    verdict, proxy = of_class(replace(FOUND, p_conditional=0.06, intervention=done(shown=False)))
    assert verdict.label == "CORRELATE"
    assert "is not shown to add beyond object × template (adjusted p = 0.06" in verdict.sentence
    assert verdict.sentence.endswith(
        "effect inconclusive (+0.84 nats beyond its controls, p = 0.3)"
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (replace(FOUND, confounds=None), "whether it adds beyond the factors is not tested"),
        (replace(FOUND, p_conditional=None), "whether it adds beyond the factors is not tested"),
        (
            replace(FOUND, held=()),
            "no factor was shown to go with failure",
        ),
        (
            replace(FOUND, confounds=Confounds(2, 7, None, None, None)),
            "adds beyond object × template (adjusted p = 0.004; 7 failures in 2 informative "
            "strata)",
        ),
    ],
)
def test_what_was_not_tested_is_said_to_be_not_tested(found: Evidence, said: str) -> None:
    assert beyond(found) == said


def test_what_is_lost_with_all_factors_held_is_not_shown_to_add() -> None:
    found = replace(FOUND, confounds=LOST, finest=("object", "template", "place"))
    assert beyond(found) == (
        "adds beyond object × template (adjusted p = 0.004, +0.9 SD [0.4, 1.4]; 40 failures in 6 "
        "informative strata), but it is not shown to add beyond object × template × place "
        "(adjusted p = 0.3, +0.3 SD [−0.2, 0.8]; 25 failures in 9 informative strata)"
    )
    assert beyond(replace(found, held=())) == (
        "no factor was shown to go with failure, but it is not shown to add beyond object × "
        "template × place (adjusted p = 0.3, +0.3 SD [−0.2, 0.8]; 25 failures in 9 informative "
        "strata)"
    )


def test_what_is_lost_with_one_more_factor_is_not_shown_to_add() -> None:
    lost = LostWith("place", 7, 22, Interval(0.1, -0.5, 0.7), None)
    found = replace(FOUND, confounds=replace(SOMETHING_LEFT, lost_with=lost))
    assert beyond(found).endswith(
        ", but it is not shown to add beyond object × template × place (+0.1 SD [−0.5, 0.7]; 22 "
        "failures in 7 informative strata)"
    )
    nothing = replace(SOMETHING_LEFT, lost_with=replace(lost, effect=None))
    assert "place (nothing to compare; 22" in beyond(replace(FOUND, confounds=nothing))


@pytest.mark.parametrize(
    "change",
    [
        {"p_value": 0.05},
        {"effect": Interval(0.5, -0.2, 1.2)},  # more than half of its strength is left
        {"firing": Interval(0.6, -0.2, 1.4)},  # or of its firing
        {"effect": None, "firing": None},  # nothing can be measured
    ],
)
def test_what_is_merely_less_certain_with_all_factors_held_is_not_lost(
    change: dict[str, object],
) -> None:
    kept = replace(LOST, finest=replace(LOST.finest, **change))  # type: ignore[type-var]
    assert "but" not in beyond(replace(FOUND, confounds=kept, finest=("object", "place")))


def test_what_is_not_shown_to_add_is_said_once() -> None:
    found = replace(FOUND, confounds=LOST, p_conditional=0.4, finest=("object", "place"))
    assert beyond(found) == (
        "is not shown to add beyond object × template (adjusted p = 0.4, +0.9 SD [0.4, 1.4]; 40 "
        "failures in 6 informative strata)"
    )


def test_what_is_found_within_strata_only_is_a_correlate_that_says_so() -> None:
    verdict, proxy = of_class(replace(MISSED, p_suppressed=0.02, confounds=SOMETHING_LEFT))
    assert (verdict.label, proxy) == ("CORRELATE", None)
    assert verdict.sentence == (
        "fires on 42 failures and 3 successes; over all prompts it does not go with the outcome "
        "(adjusted p = 0.3), but among prompts alike in object × template it does (adjusted p = "
        "0.02, +0.9 SD [0.4, 1.4]; 40 failures in 6 informative strata): a cause that object × "
        "template hides, or no cause, object × template being a consequence of it and of failure "
        "(a collider); only an intervention tells; effect not tested"
    )


def test_an_effect_that_is_shown_tells_a_hidden_cause_from_a_collider() -> None:
    hidden = replace(MISSED, p_suppressed=0.02, confounds=SOMETHING_LEFT)
    verdict, _ = of_class(replace(hidden, intervention=done(shown=True, enough=True, turned=0.6)))
    assert verdict.label == "CAUSE"
    assert "collider" not in verdict.sentence
    tried, _ = of_class(replace(hidden, intervention=done(shown=False)))
    assert (tried.label, "(a collider); only" in tried.sentence) == ("CORRELATE", True)


@pytest.mark.parametrize(
    ("unheld", "words"),
    [
        (["name"], "name: name goes with failure within these strata too"),
        (["name", "day"], "name × day: name and day go with failure within these strata too"),
    ],
)
def test_what_matters_too_and_is_too_fine_to_be_held_takes_the_claim_back(
    unheld: list[str], words: str
) -> None:
    said = beyond(replace(FOUND, confounds=SOMETHING_LEFT, p_conditional=0.01, unheld=unheld))
    assert said.startswith("adds beyond object × template (adjusted p = 0.01")
    assert said.endswith(
        f", but it is not shown to add beyond object × template × {words}, and too few failures "
        "are left to tell once that is held as well"
    )


def test_the_first_row_that_holds_wins() -> None:
    """Everything holds at once; then, one after the other, each row's ground is taken away."""
    found = replace(
        FOUND,
        p_deciding=0.3,
        least_p=0.01,
        flagged_by=["Welch + Holm"],
        other_scoring=(HALVES,),
        intervention=done(shown=True, enough=True, turned=0.6),
        nearest=KEYS,
        confounds=NO_STRATUM,
    )
    changes: list[tuple[str, dict[str, object]]] = [
        ("UNDERPOWERED", {"least_p": 1e-30}),
        ("ARTEFACT (of a test)", {"flagged_by": []}),
        ("NOT SIGNIFICANT", {"p_deciding": 0.05}),
        ("CAUSE", {"intervention": done(shown=True)}),
        ("CONTRIBUTES", {"intervention": done(shown=False)}),
        ("ARTEFACT (of scoring)", {"other_scoring": (HOLDS,)}),
        ("PROXY of object = the keys", {"nearest": NEAR}),
        ("UNTESTABLE", {"confounds": SOMETHING_LEFT}),
        ("CORRELATE", {}),
    ]
    for name, change in changes:
        assert of_class(found)[0].label == name
        found = replace(found, **change)  # type: ignore[arg-type]


def test_an_audit_needs_five_of_each_outcome() -> None:
    assert of_audit(10, 5) is None
    assert of_audit(300, 61) is None
    assert str(of_audit(300, 4)) == (
        "UNDERPOWERED: 4 failures and 296 successes, and at least 5 of each are needed"
    )
    assert of_audit(300, 296) == Verdict(
        "UNDERPOWERED",
        None,
        "296 failures and 4 successes, and at least 5 of each are needed",
    )
    assert of_audit(1, 0) is not None


PROBABILITIES = st.floats(0, 1, exclude_min=True)
FINITE = st.floats(-5, 5)
EVIDENCE = st.builds(
    Evidence,
    active=st.tuples(st.integers(0, 61), st.integers(0, 239)),
    p_deciding=PROBABILITIES,
    least_p=PROBABILITIES,
    tested=st.integers(0, 700),
    alpha=st.just(0.05),
    rate_difference=st.floats(-1, 1),
    cohens_d=st.none() | FINITE,
    p_smaller=st.none() | PROBABILITIES,
    by_firing=st.booleans(),
    flagged_by=st.lists(st.sampled_from(["Welch + Holm", "the study's rule"]), max_size=2),
    other_scoring=st.none()
    | st.lists(st.sampled_from([HOLDS, NOT_UNDER, HALVES, CARRIES, TOO_FEW])),
    nearest=st.sampled_from([None, KEYS, NEAR]),
    followed=st.sampled_from([None, KEYS, NEAR]),
    confounds=st.sampled_from([None, NOTHING_LEFT, SOMETHING_LEFT, NO_STRATUM, LOST]),
    p_conditional=st.none() | PROBABILITIES,
    held=st.sampled_from([(), ("object",), ("object", "template")]),
    finest=st.just(("object", "template", "place")),
    intervention=st.sampled_from([None, done(shown=True), done(shown=False)]),
)


@given(EVIDENCE)
def test_any_evidence_has_one_verdict_in_one_sentence(found: Evidence) -> None:
    verdict, proxy = of_class(found)
    significant = found.p_deciding <= found.alpha
    quiet = ("UNDERPOWERED", "ARTEFACT (of a test)", "NOT SIGNIFICANT")
    assert (verdict.label in quiet) is not significant
    assert verdict.label.startswith("PROXY") <= (proxy is not None)
    assert verdict.sentence.startswith("fires on ")
    assert not any(word in verdict.sentence for word in ("nan", "None", "inf "))
    if verdict.label.split()[0] in ("PROXY", "UNTESTABLE", "CORRELATE"):
        assert "effect not tested" in verdict.sentence or "effect inconclusive" in verdict.sentence
