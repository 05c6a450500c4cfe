"""Sequential Monte-Carlo tests: when they stop, and how their p is spread under the null."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultlens.stats.sequential import SequentialTest


def one_by_one(larger: list[bool], test: SequentialTest) -> tuple[float, int]:
    """Besag and Clifford's rule, draw after draw: p, and the number of draws."""
    count = 0
    for drawn, is_larger in enumerate(larger[: test.planned], start=1):
        count += is_larger
        if count == test.enough:
            return count / drawn, drawn
    return (1 + count) / (test.planned + 1), test.planned


@given(st.lists(st.booleans(), min_size=30, max_size=30), st.integers(1, 31))
def test_it_is_the_published_rule(larger: list[bool], enough: int) -> None:
    test = SequentialTest(30, enough)
    p, drawn = one_by_one(larger, test)
    assert test.counted(np.array(larger)) == drawn
    assert test.p_value(np.array(larger)) == pytest.approx(p)
    assert test.p_value(np.array(larger[:drawn])) == pytest.approx(p), "the rest is not looked at"
    if drawn > 1:
        assert test.counted(np.array(larger[: drawn - 1])) is None
        with pytest.raises(ValueError, match=f"{drawn - 1} of 30 draws do not end the test"):
            test.p_value(np.array(larger[: drawn - 1]))


def test_without_a_rule_for_stopping_all_are_drawn() -> None:
    assert SequentialTest(4).counted(np.ones(3, dtype=bool)) is None
    assert SequentialTest(4).p_value(np.ones(4, dtype=bool)) == 1.0


@pytest.mark.parametrize(("most", "alpha"), [(199, 0.05), (299, 0.05), (99, 0.01), (499, 0.1)])
def test_it_stops_only_where_nothing_can_be_significant_any_more(most: int, alpha: float) -> None:
    test = SequentialTest.at_level(most, alpha)
    assert test.enough is not None
    assert test.enough / most > alpha, "the least p of a test that stopped"
    assert (1 + test.enough - 2) / (most + 1) <= alpha, "one less, and it might have been"


def test_under_the_null_p_is_spread_evenly_over_the_values_that_it_can_take() -> None:
    """20,000 tests of a statistic that is one more draw: P(p ≤ a) = a at those values."""
    rng = np.random.default_rng(0)
    test = SequentialTest.at_level(199, 0.05)
    statistics, draws = rng.normal(size=20_000), rng.normal(size=(20_000, 199))
    p = np.array([test.p_value(d >= s) for s, d in zip(statistics, draws, strict=True)])
    for a in (0.005, 0.01, 0.025, 0.05, 10 / 150, 0.1, 0.2, 0.5):
        assert (p <= a + 1e-12).mean() == pytest.approx(a, abs=4 * np.sqrt(a * (1 - a) / 20_000))
    full = (1 + (draws >= statistics[:, None]).sum(axis=1)) / 200
    assert ((p <= 0.05) == (full <= 0.05)).all(), "no decision is changed by stopping"
    same = p <= 0.05
    assert (p[same] == full[same]).all()
    drawn = [test.counted(d >= s) for s, d in zip(statistics[:500], draws[:500], strict=True)]
    assert np.mean([d or 0 for d in drawn]) < 60, "a quarter of the draws is enough"


GOING_ON = SequentialTest.at_level(199, 0.05, near=3, most=999)


def chances(test: SequentialTest, rng: np.random.Generator, tests: int) -> np.ndarray:
    """P of tests whose statistic is one more draw: each draw exceeds it with the same chance."""
    shares = rng.random(tests)
    return np.array([test.p_value(rng.random(test.limit) < share) for share in shares])


@pytest.mark.parametrize("early", [True, False])
def test_p_stays_exact_where_a_near_decision_is_given_more_draws(early: bool) -> None:
    """20,000 tests under the null; the values are those that p can take beyond 199 draws, too."""
    test = SequentialTest.at_level(199, 0.05, near=3, most=999, early=early)
    p = chances(test, np.random.default_rng(2), 20_000)
    for a in (0.005, 0.0055, 0.006, 0.008, 0.01, 0.02, 0.05, 0.2):
        attained = float(p[p <= a + 1e-12].max())
        expected = pytest.approx(attained, abs=4 * np.sqrt(a * (1 - a) / 20_000))
        assert (p <= attained + 1e-12).mean() == expected


def test_the_points_at_which_it_ends_have_all_the_chance_there_is() -> None:
    """From most to least against the null p rises; all that goes on has 4/200 together."""
    lucky = np.zeros(999, dtype=bool)
    places, p = [9, 99, 198, *range(300, 306)], [0.005]
    for place in places:
        lucky[place] = True
        p.append(GOING_ON.p_value(lucky))
    for tenth in (998, 500, 307):
        lucky[tenth] = True
        p.append(GOING_ON.p_value(lucky))
        lucky[tenth] = False
    first = np.zeros(999, dtype=bool)
    first[196:206] = True
    p.append(GOING_ON.p_value(first))
    assert GOING_ON.counted(first) == 206, "the earliest that there is"
    assert np.all(np.diff(p) > 0)
    assert p[-1] == pytest.approx(4 / 200)
    p.append(GOING_ON.p_value(np.arange(199) < 4))
    assert p[-1] == pytest.approx(5 / 200), "four of 199: the next point"


def test_one_lucky_draw_does_not_decide() -> None:
    """In a family of eight, one of 199 as large gave p = .08 after Holm."""
    draws = np.zeros(999, dtype=bool)
    draws[[100, 600]] = True
    assert GOING_ON.counted(draws[:199]) is None, "it goes on"
    assert 8 * GOING_ON.p_value(draws) < 0.05 < 8 * SequentialTest(199).p_value(draws[:199])
    draws[[250, 420, 700, 800, 900]] = True
    assert 8 * GOING_ON.p_value(draws) > 0.05, "seven of 999 are not luck"


@pytest.mark.parametrize("early", [True, False])
def test_it_goes_on_only_where_few_but_not_none_are_as_large(early: bool) -> None:
    test = SequentialTest.at_level(199, 0.05, near=3, most=999, early=early)
    none, some, more, many = (np.arange(199) < count for count in (0, 3, 4, 10))
    assert test.counted(none) == test.counted(more) == 199
    assert (test.p_value(none), test.p_value(more)) == pytest.approx((1 / 200, 5 / 200))
    assert test.counted(some) is None
    with pytest.raises(ValueError, match="199 of 999 draws do not end the test"):
        test.p_value(some)
    assert test.counted(many) == (10 if early else 199)
    assert test.p_value(many) == pytest.approx(1.0 if early else 11 / 200)


def test_draws_put_in_order_by_what_they_are_would_be_no_test() -> None:
    """Half of the draws are larger by nature: with these first, p says nothing of the statistic."""
    rng = np.random.default_rng(1)
    scale = np.repeat([5.0, 0.2], [100, 99])
    test = SequentialTest.at_level(199, 0.05)
    fair, ordered = [], []
    for _ in range(2_000):
        statistic = abs(rng.normal(0, rng.choice(scale)))
        draws = np.abs(rng.normal(0, scale))
        ordered.append(test.p_value(draws >= statistic))
        fair.append(test.p_value(rng.permutation(draws) >= statistic))
    assert np.mean(np.array(fair) <= 0.25) == pytest.approx(0.25, abs=0.04)
    assert abs(np.mean(np.array(ordered) <= 0.25) - 0.25) > 0.05


@given(st.integers(0, 2**20), st.sampled_from([0.003, 0.01, 0.03, 0.1, 0.3]), st.integers(0, 8))
def test_what_ends_for_other_tests_has_the_largest_p_that_it_could_have_reached(
    seed: int, chance: float, others: int
) -> None:
    """And no test ends so whose p could have been small enough beside `others` that never are."""
    draws = np.random.default_rng(seed).random(999) < chance
    needed = 0.05 / (others + 1)
    test = GOING_ON.needing(needed)
    counted, full = test.counted(draws), GOING_ON.p_value(draws)
    assert counted is not None
    if counted == GOING_ON.counted(draws):
        assert test.p_value(draws) == full
    else:
        assert test.p_value(draws[:counted]) >= full > needed
        assert test.least_p(draws[:counted]) > needed
        assert test.least_p(draws[: counted - 1]) <= needed, "and not before"
        assert test.counted(draws[: counted - 1]) is None
    assert (test.p_value(draws) <= needed) == (full <= needed)


def test_where_few_are_as_large_beyond_the_planned_draws_it_goes_on() -> None:
    """Five of the first 199 can no longer reach 0.05 / 3; five of 999 can."""
    test, drawn = GOING_ON.needing(0.05 / 3), np.zeros(999, dtype=bool)
    drawn[[3, 5, 9, 400, 600]] = True
    assert (test.counted(drawn), test.p_value(drawn)) == (999, GOING_ON.p_value(drawn))
    drawn[[400, 600]], drawn[[10, 11]] = False, True
    assert test.counted(drawn) == 11
    assert test.p_value(drawn) == 10 / (11 + 6)


def test_a_test_that_does_not_stop_early_does_not_end_for_others() -> None:
    full = SequentialTest.at_level(199, 0.05, near=3, most=999, early=False)
    assert full.needing(0.001) == full
