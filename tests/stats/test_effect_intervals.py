"""Intervals of effects, against SciPy, statsmodels, published numbers and simulated cover."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.sparse import csr_matrix
from statsmodels.stats.proportion import confint_proportions_2indep

from faultlens.stats.effect_intervals import (
    auroc_interval,
    cohens_d_interval,
    rate_difference,
    welch_interval,
)
from faultlens.stats.effects import auroc, cohens_d, midranks
from faultlens.stats.moments import Moments, moments
from faultlens.stats.two_sample import welch


def sparse_activations(n: int, features: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    fires = rng.random((n, features)) < rng.uniform(0.05, 0.9, features)
    return (rng.lognormal(size=(n, features)).round(1) * fires).astype(np.float32)


def members(size: int, n: int, seed: int) -> np.ndarray:
    inside = np.zeros(n, dtype=bool)
    inside[np.random.default_rng(seed).permutation(n)[:size]] = True
    return inside


def groups_of(values: np.ndarray, first: np.ndarray) -> tuple[Moments, Moments]:
    columns = csr_matrix(values)
    return moments(columns, first), moments(columns, ~first)


def covered(interval: tuple[np.ndarray, np.ndarray], truth: float) -> float:
    return float(np.mean((interval[0] <= truth) & (truth <= interval[1])))


@pytest.mark.parametrize(("size", "n"), [(19, 255), (61, 300), (3, 8)])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_welch_interval_is_scipys(size: int, n: int, level: float) -> None:
    first = members(size, n, seed=0)
    values = sparse_activations(n, 12, seed=1) + np.float32(0.01) * np.arange(n)[:, None]
    values[first] *= 3
    theirs = stats.ttest_ind(
        values[first].astype(float), values[~first].astype(float), equal_var=False
    ).confidence_interval(level)
    ours = welch_interval(*groups_of(values, first), level)
    np.testing.assert_allclose(ours, (theirs.low, theirs.high), rtol=1e-8, atol=1e-10)


def test_welch_interval_leaves_out_0_exactly_where_the_test_rejects() -> None:
    groups = groups_of(sparse_activations(300, 400, seed=2), members(61, 300, seed=3))
    low, high = welch_interval(*groups)
    rejected = welch(*groups).p < 0.05
    np.testing.assert_array_equal((low > 0) | (high < 0), rejected)
    assert 0 < rejected.sum() < 400


def test_welch_interval_of_constant_groups_has_no_width() -> None:
    first = members(19, 255, seed=4)
    values = np.column_stack([np.full(255, 0.7), np.where(first, 0.7, 0.0)])
    low, high = welch_interval(*groups_of(values, first))
    np.testing.assert_allclose([low, high], [[0, 0.7], [0, 0.7]])


def test_cohens_d_interval_has_the_spread_of_d_in_large_normal_samples() -> None:
    """Equal to the non-central t's own spread to 1 % at 300 against 700; without the term in d²
    it would be a quarter too narrow."""
    low, high = cohens_d_interval(np.array([1.5]), 300, 700, level=0.9)
    root = np.sqrt(1 / 300 + 1 / 700)
    spread = stats.nct.std(998, 1.5 / root) * root
    assert (high - low) / 2 == pytest.approx(stats.norm.isf(0.05) * spread, rel=0.01)
    assert (high + low) / 2 == pytest.approx(1.5)


def test_cohens_d_interval_covers_normal_values_but_not_sparse_ones() -> None:
    """19 against 236. The sparse feature fires on .5 of the first and .02 of the rest."""
    rng, first = np.random.default_rng(5), np.arange(255) < 19
    normal = rng.normal(0, 1, (255, 2000)) + 0.5 * first[:, None]
    assert covered(
        cohens_d_interval(cohens_d(csr_matrix(normal), first), 19, 236), 0.5
    ) == pytest.approx(0.95, abs=0.015)

    rates = np.array([0.5, 0.02])
    fires = rng.random((255, 2000)) < np.where(first, *rates)[:, None]
    sparse = fires * rng.lognormal(size=(255, 2000))
    means, squares = rates * np.exp(0.5), rates * np.exp(2)
    pooled = np.array([18, 235]) @ (squares - means**2) / 253
    truth = float((means[0] - means[1]) / np.sqrt(pooled))
    assert covered(cohens_d_interval(cohens_d(csr_matrix(sparse), first), 19, 236), truth) < 0.7


def test_an_infinite_d_has_itself_for_both_bounds() -> None:
    low, high = cohens_d_interval(np.array([np.inf, -np.inf, 0.0]), 19, 236)
    assert low[:2].tolist() == high[:2].tolist() == [np.inf, -np.inf]
    assert low[2] == -high[2] < 0


def delong_by_pairs(column: np.ndarray, first: np.ndarray, level: float) -> tuple[float, float]:
    """Every pair compared, as DeLong, DeLong and Clarke-Pearson define the placements."""
    wins = np.array([[(x > y) + 0.5 * (x == y) for y in column[~first]] for x in column[first]])
    error = wins.mean(axis=1).var(ddof=1) / first.sum()
    error += wins.mean(axis=0).var(ddof=1) / (~first).sum()
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt(error)
    return max(wins.mean() - half, 0), min(wins.mean() + half, 1)


@pytest.mark.parametrize(("size", "n"), [(19, 255), (10, 70), (5, 8)])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_auroc_interval_is_that_of_all_pairs(size: int, n: int, level: float) -> None:
    values, first = sparse_activations(n, 8, seed=6), members(size, n, seed=7)
    expected = np.array([delong_by_pairs(column, first, level) for column in values.T]).T
    np.testing.assert_allclose(auroc_interval(values, first, level), expected, rtol=1e-9)
    alone = auroc_interval(values[:, 3], first, level)
    np.testing.assert_allclose(np.ravel(alone), expected[:, 3], rtol=1e-9)


def test_auroc_interval_covers_sparse_features() -> None:
    """Firing on .6 of 40 and .2 of 120, amounts of one distribution: the area is known."""
    rng, first = np.random.default_rng(8), np.arange(160) < 40
    fires = rng.random((160, 2000)) < np.where(first, 0.6, 0.2)[:, None]
    values = fires * rng.lognormal(size=(160, 2000))
    truth = 0.6 * 0.8 + (0.6 * 0.2 + 0.4 * 0.8) / 2
    assert auroc(midranks(values), first).mean() == pytest.approx(truth, abs=0.005)
    for level in (0.95, 0.5):
        assert covered(auroc_interval(values, first, level), truth) == pytest.approx(
            level, abs=0.03
        )


def test_a_perfect_area_is_not_certain_and_a_tied_column_is_one_half() -> None:
    """Five against eight: five disjoint pairs ordered one way, Clopper–Pearson's bound."""
    first = np.arange(13) < 5
    values = np.column_stack([first, ~first, np.full(13, 3.0)]) * 2.5
    low, high = auroc_interval(values, first)
    bound = stats.binomtest(5, 5).proportion_ci(0.95, method="exact").low
    np.testing.assert_allclose(low, [bound, 0, 0.5])
    np.testing.assert_allclose(high, [1, 1 - bound, 0.5])


@pytest.mark.parametrize("size", [1, 4])
def test_auroc_interval_of_a_single_member_is_refused(size: int) -> None:
    message = f"groups of {size} and {5 - size}: DeLong's variance needs 2 of each"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        auroc_interval(np.arange(5.0), np.arange(5) < size)


@settings(deadline=None, max_examples=100)
@given(
    st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.sampled_from([0.95, 0.9, 0.5]),
)
def test_rate_difference_is_that_of_statsmodels(
    failing: tuple[int, int], successful: tuple[int, int], level: float
) -> None:
    ours = rate_difference(
        np.array([failing[0]]), failing[1], np.array([successful[0]]), successful[1], level
    )
    theirs = confint_proportions_2indep(
        *failing, *successful, method="newcomb", compare="diff", alpha=1 - level
    )
    assert ours[0] == pytest.approx(failing[0] / failing[1] - successful[0] / successful[1])
    assert np.ravel(ours[1:]) == pytest.approx(theirs, rel=1e-9, abs=1e-12)
    assert -1 <= ours[1] <= ours[0] <= ours[2] <= 1


@pytest.mark.parametrize(
    ("counts", "bounds"),
    [
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((10, 10, 0, 20), (0.6791, 1.0000)),
    ],
)
def test_rate_difference_is_newcombes_own(
    counts: tuple[int, int, int, int], bounds: tuple[float, float]
) -> None:
    """Examples of Newcombe (1998), table II, method 10."""
    one, n_one, two, n_two = counts
    _, low, high = rate_difference(np.array([one]), n_one, np.array([two]), n_two)
    assert (low[0], high[0]) == pytest.approx(bounds, abs=5.1e-5)


@pytest.mark.parametrize(("failures", "successes"), [(0, 5), (5, 0)])
def test_rate_difference_without_a_group_is_refused(failures: int, successes: int) -> None:
    message = "a difference of rates needs failures and successes"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        rate_difference(np.array([0]), failures, np.array([0]), successes)


def test_permuting_features_permutes_intervals() -> None:
    values, first = sparse_activations(255, 12, seed=9), members(19, 255, seed=10)
    order = np.random.default_rng(11).permutation(12)
    active = [(values[rows] > 0).sum(axis=0) for rows in (first, ~first)]
    moved = [counts[order] for counts in active]
    pairs = [
        (auroc_interval(values[:, order], first), auroc_interval(values, first)),
        (
            welch_interval(*groups_of(values[:, order], first)),
            welch_interval(*groups_of(values, first)),
        ),
        (
            rate_difference(moved[0], 19, moved[1], 236),
            rate_difference(active[0], 19, active[1], 236),
        ),
    ]
    for after, before in pairs:
        np.testing.assert_allclose(after, np.asarray(before)[:, order], rtol=1e-12)
