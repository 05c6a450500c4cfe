"""Strata, the effect within them, and the level that a feature stands for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import StratifiedTable

from faultlens.auditing.feature_tests.confounds import (
    adds_nothing,
    confounds,
    followed_level,
    nearest_level,
)
from faultlens.auditing.feature_tests.strata import stratify
from faultlens.auditing.result import Confounds, Interval, OddsReading, Proxy, Selection
from faultlens.errors import UserError
from faultlens.stats.strata import stratum_codes

THING = ["keys"] * 10 + ["book"] * 15 + ["pen"] * 15
VERB = ["gave", "sold"] * 20
FACTORS = {"thing": THING, "verb": VERB}
FAILED = np.array([True] * 9 + [False] + [True] * 3 + [False] * 27)


BY_THING = stratify({"thing": THING}, FAILED, Selection([], [], ["thing"]))


def kept(*names: str) -> Selection:
    return Selection([], [], list(names))


def test_strata_are_made_of_what_selection_kept_and_of_what_was_named() -> None:
    found = stratify(FACTORS, FAILED, kept("thing"), requested=["verb"])
    strata, codes = found.record, found.codes
    assert (strata.factors, strata.requested) == (["thing", "verb"], ["verb"])
    assert codes.tolist() == stratum_codes([THING, VERB]).tolist()
    assert strata.strata == 6
    # keys: 5 of 5 with gave fail, 4 of 5 with sold; book: 2 of 7 and 1 of 8; pen: none.
    assert (strata.informative, strata.failures_in_them) == (3, 7)
    others = {
        tuple(c.factors): (c.strata, c.informative, c.failures_in_them) for c in strata.others
    }
    assert others == {
        ("thing",): (3, 2, 12),
        ("verb",): (2, 2, 12),
        ("thing", "verb"): (6, 3, 7),
    }


def test_a_factor_that_is_named_and_kept_is_held_once() -> None:
    found = stratify(FACTORS, FAILED, kept("thing"), ["thing"], ["thing"])
    strata, codes = found.record, found.codes
    assert (strata.factors, strata.requested, strata.strata) == (["thing"], ["thing"], 3)
    assert codes.max() == 2


def test_where_nothing_is_held_all_prompts_are_one_stratum() -> None:
    found = stratify(FACTORS, FAILED, kept())
    strata, codes = found.record, found.codes
    assert (strata.factors, strata.strata, strata.informative) == ([], 1, 1)
    assert strata.failures_in_them == 12
    assert set(codes) == {0}
    found = stratify({}, FAILED, kept())
    bare, codes = found.record, found.codes
    assert (bare.factors, bare.strata, bare.others) == ([], 1, [])
    assert len(codes) == len(FAILED)


def test_all_factors_together_are_counted_only_where_there_are_two() -> None:
    strata = stratify({"thing": THING}, FAILED, kept("thing")).record
    assert [count.factors for count in strata.others] == [["thing"]]


@pytest.mark.parametrize(
    ("factors", "sentence"),
    [
        (FACTORS, "no factor 'place' to hold constant: expected one of thing, verb"),
        (
            {},
            "no factor 'place' to hold constant: expected one of none (no factor with two levels)",
        ),
    ],
)
def test_an_unknown_factor_to_hold_is_one_sentence(
    factors: dict[str, list[str]], sentence: str
) -> None:
    with pytest.raises(UserError) as caught:
        stratify(factors, FAILED, kept(), requested=["place"])
    assert str(caught.value) == sentence


def tables(active: np.ndarray, codes: np.ndarray) -> StratifiedTable:
    cells = []
    for code in np.unique(codes):
        here = codes == code
        rows = [active & here, ~active & here]
        cells.append([[(r & FAILED).sum(), (r & ~FAILED).sum()] for r in rows])
    return StratifiedTable(np.array(cells).transpose(1, 2, 0))


def test_the_size_of_a_correlate_within_strata() -> None:
    codes = stratum_codes([THING])
    active = np.zeros(40, dtype=bool)
    active[[0, 1, 2, 3, 4, 9, 10, 11, 20, 30, 31]] = True
    found = confounds(np.where(active, 2.0, 0.0), FAILED, BY_THING)
    assert (found.informative, found.failures_in_them) == (2, 12)
    referee = tables(active, codes)
    assert found.mantel_haenszel.odds_ratio == pytest.approx(referee.oddsratio_pooled)
    ends = referee.oddsratio_pooled_confint()
    assert (found.mantel_haenszel.low, found.mantel_haenszel.high) == pytest.approx(ends)
    p = referee.test_null_odds(correction=True).pvalue
    assert found.mantel_haenszel.p_value == pytest.approx(p)
    firth = found.firth
    assert firth.low < firth.odds_ratio < firth.high
    assert firth.odds_ratio < found.mantel_haenszel.odds_ratio * 2, "shrunken, of one order"
    assert found.effect.low < found.effect.value < found.effect.high


def test_a_feature_that_marks_failure_in_every_stratum_has_finite_odds_from_firth_alone() -> None:
    found = confounds(np.where(FAILED, 2.0, 0.0), FAILED, replace(BY_THING, held=FACTORS))
    assert found.mantel_haenszel.odds_ratio is None
    assert found.mantel_haenszel.p_value < 1e-3
    assert np.isfinite([found.firth.odds_ratio, found.firth.low, found.firth.high]).all()
    assert found.firth.low > 1
    assert found.effect is None, "both groups are constant"


def test_a_feature_constant_within_strata_has_no_effect_there() -> None:
    keys = np.array(THING) == "keys"
    found = confounds(np.where(keys, 2.0, 0.0), FAILED, BY_THING)
    assert found == Confounds(0, 0, None, None, None)


def test_a_feature_that_fires_everywhere_has_strength_and_no_odds() -> None:
    rng = np.random.default_rng(0)
    values = 3 + rng.random(40) + FAILED
    found = confounds(values, FAILED, BY_THING)
    assert (found.mantel_haenszel, found.firth) == (None, None)
    assert found.informative == 2
    assert found.effect.low > 0


def test_firing_that_the_factors_determine_has_no_odds_although_strength_varies() -> None:
    keys = np.array(THING) == "keys"
    values = np.where(keys, 2.0 + np.arange(40) / 40, 0.0)
    found = confounds(values, FAILED, BY_THING)
    assert (found.informative, found.failures_in_them) == (1, 9)
    assert found.mantel_haenszel.p_value is None
    assert found.firth is None
    assert found.effect is not None


@pytest.mark.parametrize(
    ("failures", "low", "high", "nothing"),
    [(10, -0.2, 0.2, True), (9, -0.1, 0.1, False), (40, -0.21, 0.1, False),
     (40, -0.1, 0.21, False), (40, 0.05, 0.15, True)],
)  # fmt: skip
def test_nothing_is_added_only_where_enough_failures_say_so(
    failures: int, low: float, high: float, nothing: bool
) -> None:
    found = Confounds(3, failures, Interval((low + high) / 2, low, high), None, None)
    assert adds_nothing(found) is nothing
    assert adds_nothing(Confounds(3, failures, None, None, None)) is False


@pytest.mark.parametrize(
    ("odds", "nothing"),
    [
        (None, True),  # it fires everywhere
        (OddsReading(None, None, None, None), True),  # nowhere within strata does firing vary
        (OddsReading(1.0, 0.5, 2.0, 0.9), True),
        (OddsReading(1.0, 0.49, 1.9, 0.9), False),
        (OddsReading(1.0, 0.6, 2.1, 0.9), False),
        (OddsReading(7.0, 3.0, 16.0, 1e-4), False),
        (OddsReading(0.0, None, None, 0.01), False),
    ],
)
def test_nothing_is_added_only_where_firing_says_so_too(
    odds: OddsReading | None, nothing: bool
) -> None:
    assert adds_nothing(Confounds(3, 40, Interval(0.0, -0.1, 0.1), odds, None)) is nothing


def firing(*things: str) -> np.ndarray:
    return np.isin(THING, things)


@pytest.mark.parametrize(
    ("things", "level"),
    [(("keys",), "keys"), (("keys", "book"), "anything but pen"), (("book", "pen"),
      "anything but keys")],
)  # fmt: skip
def test_the_nearest_level_is_the_one_it_fires_on(things: tuple[str, ...], level: str) -> None:
    assert nearest_level(firing(*things), FACTORS) == Proxy("thing", level, 1.0)


def test_a_union_of_several_levels_is_named_by_the_fewer() -> None:
    letters = [*"abcdef"] * 5
    for inside, name in (("ab", "a or b"), ("bca", "a or b or c"), ("abcd", "neither e nor f")):
        found = nearest_level(np.isin(letters, [*inside]), {"letter": letters})
        assert found == Proxy("letter", name, 1.0)


def test_silence_is_compared_where_firing_is_the_rule() -> None:
    """It fires on 39 of 40: firing has Jaccard .90 with one level, silence .20 with the other."""
    silent_once = np.arange(40) != 39
    levels = ["a"] * 35 + ["b"] * 5
    found = nearest_level(silent_once, {"x": levels})
    assert found.jaccard == pytest.approx(1 / 5)
    assert nearest_level(np.ones(40, dtype=bool), {"x": levels}) is None
    half, more = np.arange(40) < 20, ["a"] * 24 + ["b"] * 16
    assert nearest_level(half, {"x": more}) == Proxy("x", "a", 20 / 24), "not 16 / 20"


def test_no_level_is_near_where_none_shares_a_prompt() -> None:
    assert nearest_level(np.zeros(40, dtype=bool), FACTORS) is None
    assert nearest_level(firing("keys"), {}) is None
    assert nearest_level(firing("keys"), {"verb": ["gave"] * 40}) is None


def test_the_followed_level_is_that_of_the_strength() -> None:
    """It fires everywhere, so its firing has no level; its strength has one."""
    rng = np.random.default_rng(1)
    strength = 3 + rng.random(40) + 4 * firing("keys") + 0.3 * (np.array(VERB) == "gave")
    assert nearest_level(strength > 0, FACTORS) is None
    assert followed_level(strength, FACTORS) == Proxy("thing", "keys", 0.0)
    assert followed_level(9 - strength, FACTORS) == Proxy("thing", "anything but keys", 0.0)
    assert followed_level(strength, {"verb": VERB}).level == "gave"
    sparse = np.where(firing("keys", "pen"), 2.0, 0.0)
    assert followed_level(sparse, FACTORS) == Proxy("thing", "anything but book", 1.0)


def test_the_followed_level_explains_most_of_the_strength() -> None:
    """The few prompts of a differ most from the rest, but a and b together explain more."""
    levels = ["a"] * 5 + ["b"] * 20 + ["c"] * 30
    strength = np.array([6.0] * 5 + [3.5] * 20 + [0.5] * 30)
    assert followed_level(strength, {"x": levels}) == Proxy("x", "anything but c", 0.0)


def test_what_is_constant_follows_nothing() -> None:
    assert followed_level(np.full(40, 0.7), FACTORS) is None
    assert followed_level(np.arange(40.0), {}) is None


def test_levels_with_equal_shares_are_taken_in_the_same_order_whatever_comes_first() -> None:
    """It fires on half of a's prompts, and on a quarter of b's and of c's, of which c has more."""
    levels = np.array(["a"] * 6 + ["b"] * 8 + ["c"] * 12)
    firing = np.array([True] * 3 + [False] * 3 + ([True] + [False] * 3) * 5)
    for order in (np.arange(26), np.arange(26)[::-1]):
        found = nearest_level(firing[order], {"x": levels[order].tolist()})
        assert found == Proxy("x", "anything but b", 6 / 20)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.0, 0.5, 3.0]), st.sampled_from("abc"), st.booleans()),
        min_size=2, max_size=60,
    ),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_any_feature_has_finite_confounds_that_order_does_not_change(
    rows: list[tuple[float, str, bool]], random: object
) -> None:
    values, levels, failed = (np.array(column) for column in zip(*rows, strict=True))
    order = np.arange(len(rows))
    random.shuffle(order)  # type: ignore[attr-defined]

    def read(at: np.ndarray) -> tuple[Confounds, Proxy | None, Proxy | None]:
        factor = {"x": [str(level) for level in levels[at]]}
        strata = stratify(factor, failed[at], kept(), requested=["x"])
        return (
            confounds(values[at], failed[at], strata),
            nearest_level(values[at] > 0, factor),
            followed_level(values[at], factor),
        )

    within, nearest, followed = read(np.arange(len(rows)))
    again, nearest_again, followed_again = read(order)
    numbers = [
        number
        for part in (within.effect, within.mantel_haenszel, within.firth)
        for number in (vars(part).values() if part is not None else ())
        if number is not None
    ]
    assert np.isfinite(numbers).all()
    assert (again.informative, again.failures_in_them) == (
        within.informative,
        within.failures_in_them,
    )
    for one, other in ((within.effect, again.effect), (within.firth, again.firth)):
        assert (one is None) is (other is None)
        if one is not None:
            assert list(vars(one).values()) == pytest.approx(
                list(vars(other).values()), rel=1e-4, abs=1e-9
            )
    for one, other in ((nearest, nearest_again), (followed, followed_again)):
        assert (one is None) is (other is None)
    if nearest is not None:
        assert nearest.jaccard == pytest.approx(nearest_again.jaccard)
        assert 0 < nearest.jaccard <= 1
