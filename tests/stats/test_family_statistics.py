"""The statistics behind min-P and max-T, against SciPy and against every arrangement listed."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.sparse import csr_matrix

from faultlens.stats.family_statistics import FisherRank, PermutationZ


def fisher_p(column: np.ndarray, failed: np.ndarray) -> float:
    table = [[np.sum(column & failed), np.sum(column & ~failed)]]
    table.append([np.sum(~column & failed), np.sum(~column & ~failed)])
    return float(stats.fisher_exact(table).pvalue)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), failures=st.integers(0, 15))
def test_ranks_order_and_tie_as_fishers_p_does(seed: int, failures: int) -> None:
    rng = np.random.default_rng(seed)
    failed = rng.permutation(np.arange(15) < failures)
    firing = rng.random((15, 30)) < rng.random(30)
    rank = FisherRank(csr_matrix(firing), failures).observed(failed)
    p = np.array([fisher_p(column, failed) for column in firing.T])
    equal = np.isclose(p[:, None], p[None], rtol=1e-9)
    np.testing.assert_array_equal(rank[:, None] == rank[None], equal)
    np.testing.assert_array_equal(rank[:, None] > rank[None], (p[:, None] < p[None]) & ~equal)


def enumerated_z(column: np.ndarray, failed: np.ndarray, strata: np.ndarray) -> float:
    """Over every arrangement of the outcome within strata."""
    within = [
        combinations(column[strata == s], int(failed[strata == s].sum())) for s in np.unique(strata)
    ]
    sums = np.array([sum(sum(part) for part in chosen) for chosen in product(*within)])
    return float(abs(column[failed].sum() - sums.mean()) / sums.std())


@pytest.mark.parametrize("seed", range(4))
def test_z_is_that_of_every_arrangement_within_strata(seed: int) -> None:
    rng = np.random.default_rng(seed)
    strata = np.repeat([2, 0, 7], [6, 5, 3])
    failed = np.array([1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0]) > 0
    values = rng.lognormal(size=(14, 5)) * (rng.random((14, 5)) < 0.7)
    z = PermutationZ(csr_matrix(values), failed, strata).observed(failed)
    expected = [enumerated_z(column, failed, strata) for column in values.T]
    np.testing.assert_allclose(z, expected, rtol=1e-12)
    other = rng.permutation(failed[:6])  # another outcome of the same margins
    moved = np.concatenate([other, failed[6:]])
    np.testing.assert_allclose(
        PermutationZ(csr_matrix(values), failed, strata).observed(moved),
        [enumerated_z(column, moved, strata) for column in values.T],
        rtol=1e-12,
    )


def test_z_squared_without_strata_is_the_score_test_of_a_linear_trend() -> None:
    """(n − 1) times the squared correlation of values and outcome: Mantel's (1963) statistic."""
    rng = np.random.default_rng(5)
    values = rng.lognormal(size=(50, 6))
    failed = np.arange(50) < 13
    z = PermutationZ(csr_matrix(values), failed).observed(failed)
    correlation = [stats.pearsonr(column, failed).statistic for column in values.T]
    np.testing.assert_allclose(z**2, 49 * np.square(correlation), rtol=1e-10)


@pytest.mark.parametrize("strata", [None, np.arange(60) % 4])
def test_weights_summed_over_the_failures_are_the_observed_statistic(
    strata: np.ndarray | None,
) -> None:
    rng = np.random.default_rng(6)
    failed = rng.random(60) < 0.3
    values = rng.lognormal(size=(60, 9)) * (rng.random((60, 9)) < 0.5)
    values[:, 8] = 1000 + rng.random(60)  # a small spread on a large mean
    values[:, 2] = 0.1
    statistic = PermutationZ(csr_matrix(values.astype(np.float32)), failed, strata)
    columns = np.array([8, 2, 0, 5])
    sums = statistic.weights(columns).T @ failed.astype(np.float32)[:, None]
    drawn = statistic.of_sums(columns, sums)[:, 0]
    np.testing.assert_allclose(drawn, statistic.observed(failed)[columns], atol=2e-6)
    assert drawn[1] == 0


def test_a_constant_among_huge_values_elsewhere_is_still_seen_to_vary() -> None:
    """Values in strata with one outcome do not set the scale below which a spread is rounding."""
    failed = np.array([1, 0, 1, 0, 0, 0]) > 0
    strata = np.array([0, 0, 0, 0, 1, 1])
    values = np.array([[1.0, 2.0, 3.0, 5.0, 1e12, 3e12]]).T
    z = PermutationZ(csr_matrix(values), failed, strata).observed(failed)[0]
    assert z == pytest.approx(enumerated_z(values[:4, 0], failed[:4], strata[:4]))


def test_outcomes_all_alike_have_no_statistic() -> None:
    values = csr_matrix(np.arange(8.0).reshape(4, 2))
    for failed in (np.zeros(4, dtype=bool), np.ones(4, dtype=bool)):
        assert PermutationZ(values, failed).observed(failed).tolist() == [0.0, 0.0]
        assert FisherRank(values > 0, int(failed.sum())).observed(failed).tolist() == [0, 0]


@pytest.mark.parametrize("strata", [None, np.arange(200) % 4])
def test_what_a_value_loses_in_other_batches_is_no_difference(strata: np.ndarray | None) -> None:
    """A millionth that goes with the outcome is how one value was read; a thousandth is another."""
    failed = np.arange(200) // 4 % 3 == 0
    off = np.array([[0.0, 1e-6, 1e-3]]) * failed[:, None]
    found = PermutationZ(csr_matrix(7.0 * (1 + off)), failed, strata).observed(failed)
    assert found[:2].tolist() == [0.0, 0.0]
    assert found[2] > 10
