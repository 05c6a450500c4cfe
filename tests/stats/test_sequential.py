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
    for drawn, is_larger in enumerate(larger[: test.most], start=1):
        count += is_larger
        if count == test.enough:
            return count / drawn, drawn
    return (1 + count) / (test.most + 1), test.most


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
