"""Clopper–Pearson against statsmodels, the bootstrap against the list of all resamples."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from faultlens.stats.intervals import bootstrap_mean, clopper_pearson


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_clopper_pearson_is_that_of_statsmodels(counts: tuple[int, int]) -> None:
    for level in (0.95, 0.9):
        theirs = proportion_confint(*counts, alpha=1 - level, method="beta")
        assert clopper_pearson(*counts, level=level) == pytest.approx(theirs, rel=1e-9, abs=1e-12)


def test_each_bound_leaves_half_the_error_to_the_binomial_tail_beyond_it() -> None:
    low, high = clopper_pearson(19, 255, level=0.9)
    assert stats.binom.sf(18, 255, low) == pytest.approx(0.05)
    assert stats.binom.cdf(19, 255, high) == pytest.approx(0.05)


@pytest.mark.parametrize("n", [1, 5, 19])
def test_clopper_pearson_covers_at_least_its_level(n: int) -> None:
    bounds = np.array([clopper_pearson(k, n) for k in range(n + 1)])
    for truth in np.linspace(0, 1, 101):
        covered = (bounds[:, 0] <= truth) & (truth <= bounds[:, 1])
        assert stats.binom.pmf(np.arange(n + 1), n, truth)[covered].sum() >= 0.95 - 1e-12


def test_swapping_successes_and_failures_mirrors_the_interval() -> None:
    low, high = clopper_pearson(19, 255)
    assert clopper_pearson(236, 255) == pytest.approx((1 - high, 1 - low))


def test_none_and_all_reach_the_ends() -> None:
    assert clopper_pearson(0, 61)[0] == 0
    assert clopper_pearson(61, 61)[1] == 1


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (0, 0), (0, -1)])
def test_impossible_counts_are_refused(successes: int, n: int) -> None:
    message = f"{successes} of {n}: expected 0 <= successes <= n and n > 0"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        clopper_pearson(successes, n)


def test_bootstrap_agrees_with_all_resamples() -> None:
    """Skewed, so that the basic and the normal interval lie elsewhere."""
    values = np.array([0.0, 0.0, 0.3, 1.1, 2.5, 9.7])
    every = values[np.indices((6,) * 6).reshape(6, -1)].mean(axis=0)
    low, high = bootstrap_mean(values, np.random.default_rng(0), level=0.9, resamples=40_000)
    assert (low, high) == pytest.approx(tuple(np.quantile(every, [0.05, 0.95])), rel=0.05)
    basic = 2 * values.mean() - high, 2 * values.mean() - low
    assert basic != pytest.approx((low, high), rel=0.3)


def test_bootstrap_of_many_values_is_near_the_normal_interval() -> None:
    values = np.random.default_rng(1).exponential(size=400)
    half = 1.96 * values.std() / 20
    interval = bootstrap_mean(values, np.random.default_rng(2), resamples=4000)
    assert interval == pytest.approx((values.mean() - half, values.mean() + half), rel=0.03)


def test_bootstrap_moves_and_stretches_with_its_values() -> None:
    values = np.random.default_rng(3).lognormal(size=19)
    low, high = bootstrap_mean(values, np.random.default_rng(4), resamples=500)
    moved = bootstrap_mean(3 * values - 7, np.random.default_rng(4), resamples=500)
    assert moved == pytest.approx((3 * low - 7, 3 * high - 7))


def test_a_higher_level_gives_a_wider_bootstrap_interval() -> None:
    values = np.random.default_rng(5).lognormal(size=61)
    inner = bootstrap_mean(values, np.random.default_rng(6), level=0.9, resamples=2000)
    outer = bootstrap_mean(values, np.random.default_rng(6), level=0.95, resamples=2000)
    assert outer[0] < inner[0] < values.mean() < inner[1] < outer[1]


def test_bootstrap_of_equal_values_has_no_width() -> None:
    assert bootstrap_mean(np.full(8, 0.5), np.random.default_rng(7), resamples=50) == (0.5, 0.5)
