"""Moments against NumPy on dense columns, and recovered from tables whose truth is known."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.sparse import csr_matrix

from faultlens.stats.effects import cohens_d_of_moments
from faultlens.stats.moments import Moments, difference_of_means, moments, moments_from_summary
from faultlens.stats.two_sample import welch

ROWS = 12
AMOUNTS = st.sampled_from([0.0, 0.0, 0.0, 0.1, 0.7, 1.0, 2.5, 40.0, -3.0])
COLUMNS = arrays(np.float64, (ROWS, 5), elements=AMOUNTS)


def sparse_activations(n: int, features: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    fires = rng.random((n, features)) < rng.uniform(0.05, 0.9, features)
    return (rng.lognormal(size=(n, features)).round(1) * fires).astype(np.float32)


def members(size: int, n: int, seed: int) -> np.ndarray:
    inside = np.zeros(n, dtype=bool)
    inside[np.random.default_rng(seed).permutation(n)[:size]] = True
    return inside


@settings(deadline=None, max_examples=60)
@given(COLUMNS, st.integers(2, ROWS))
def test_sparse_columns_have_the_moments_of_dense_ones(values: np.ndarray, size: int) -> None:
    rows = members(size, ROWS, seed=size)
    found = moments(csr_matrix(values), rows)
    assert found.n == size
    np.testing.assert_allclose(found.mean, values[rows].mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.variance, values[rows].var(axis=0, ddof=1), atol=1e-12)
    assert found.mean.dtype == found.variance.dtype == np.float64


@settings(deadline=None, max_examples=30)
@given(COLUMNS, st.permutations(range(5)))
def test_permuting_features_permutes_moments(values: np.ndarray, order: list[int]) -> None:
    rows = members(7, ROWS, seed=0)
    found, moved = moments(csr_matrix(values), rows), moments(csr_matrix(values[:, order]), rows)
    np.testing.assert_array_equal(moved.mean, found.mean[order])
    np.testing.assert_array_equal(moved.variance, found.variance[order])


def test_spread_far_below_the_mean_is_not_lost_and_rounding_is_not_spread() -> None:
    """The mean of the squares less the square of the mean has no digit left of the first."""
    values = np.column_stack([1e6 + 0.5 * np.arange(255), np.full(255, 0.7), np.full(255, 123.4)])
    found = moments(csr_matrix(values), members(61, 255, seed=1))
    expected = values[members(61, 255, seed=1), 0].var(ddof=1)
    np.testing.assert_allclose(found.variance, [expected, 0, 0], rtol=1e-9)
    assert found.variance[1:].tolist() == [0, 0]


def test_zeros_that_are_stored_and_entries_stored_twice_count_once() -> None:
    twice = csr_matrix(([2.0, 3.0, 0.0, 1.0], [0, 0, 0, 0], [0, 2, 3, 4, 4]), shape=(4, 1))
    found = moments(twice, np.ones(4, dtype=bool))
    assert found.mean.tolist() == [1.5]  # of 5, 0, 1, 0
    assert found.variance[0] == pytest.approx(17 / 3)
    assert twice.data.tolist() == [2, 3, 0, 1]


@pytest.mark.parametrize("size", [0, 1])
def test_a_group_without_a_variance_is_refused(size: int) -> None:
    message = f"a group of {size}: a variance needs at least 2 rows"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        moments(csr_matrix(np.eye(4)), np.arange(4) < size)


def test_a_difference_of_means_within_rounding_is_none() -> None:
    first = Moments(3, np.array([1.0, 1.0, 0.0, -2.0]), np.ones(4))
    rest = Moments(4, np.array([1.0 + 1e-9, 1.0 + 1e-5, 0.0, 1.0]), np.ones(4))
    np.testing.assert_allclose(difference_of_means(first, rest), [0, -1e-5, 0, -3], rtol=1e-6)
    assert difference_of_means(first, rest)[0] == 0


@pytest.mark.parametrize(("size", "n"), [(19, 255), (61, 300), (60, 70), (3, 5)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_variances_come_back_from_a_table(size: int, n: int, dtype: type) -> None:
    """d and t from SciPy, in the precision of a published table."""
    values, rows = sparse_activations(n, 40, seed=2).astype(np.float64), members(size, n, seed=3)
    values += np.linspace(0, 1, n)[:, None]
    one, two = values[rows], values[~rows]
    student, separate = stats.ttest_ind(one, two), stats.ttest_ind(one, two, equal_var=False)
    d = student.statistic * np.sqrt(1 / size + 1 / (n - size))
    table = [column.astype(dtype) for column in (one.mean(0), two.mean(0), d, separate.statistic)]
    found = moments_from_summary(*table, size, n - size)
    for group, truth in zip(found, (one, two), strict=True):
        np.testing.assert_allclose(group.mean, truth.mean(axis=0), rtol=1e-6)
        exact = dtype is np.float64
        np.testing.assert_allclose(
            group.variance, truth.var(axis=0, ddof=1), rtol=1e-8 if exact else 1e-2
        )
    assert (found[0].n, found[1].n) == (size, n - size)


def test_where_the_table_says_nothing_of_the_variances_they_are_0() -> None:
    """Never firing; equal means, with and without SciPy's NaN; constant and apart, either way."""
    first, rest = moments_from_summary(
        np.array([0.0, 2.0, 2.0, 2.0, 0.0]),
        np.array([0.0, 2.0, 2.0, 0.0, 2.0]),
        np.array([0.0, np.nan, 0.0, np.inf, -np.inf]),
        np.array([0.0, np.nan, 0.0, np.inf, -np.inf]),
        3,
        5,
    )
    assert first.variance.tolist() == rest.variance.tolist() == [0] * 5
    assert cohens_d_of_moments(first, rest).tolist() == [0, 0, 0, np.inf, -np.inf]
    assert welch(first, rest).p.tolist() == [1, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("d", "t"),
    [(0.0, 1.0), (1.0, 0.0), (-1.0, 2.0), (1.0, np.inf), (np.nan, 2.0), (0.1, 5.0), (5.0, 0.1)],
)
def test_a_row_that_no_two_groups_can_give_is_named(d: float, t: float) -> None:
    message = f"row 1: means 3 and 1, d = {d:g}, t = {t:g} belong to no two groups of 10 and 40"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        moments_from_summary(
            np.array([0.0, 3.0]), np.array([0.0, 1.0]), np.array([0, d]), np.array([0, t]), 10, 40
        )


def test_groups_of_equal_size_and_groups_of_one_are_refused() -> None:
    row = [np.array([value]) for value in (3.0, 1.0, 1.0, 2.0)]
    equal = "two groups of 20: d and t of groups of equal size give only the sum of the variances"
    with pytest.raises(ValueError, match=f"^{re.escape(equal)}$"):
        moments_from_summary(*row, 20, 20)
    small = "groups of 1 and 20: a variance needs at least 2 rows each"
    with pytest.raises(ValueError, match=f"^{re.escape(small)}$"):
        moments_from_summary(*row, 1, 20)


@pytest.mark.parametrize(
    ("name", "failures", "successes"),
    [("feature_stats.csv", 61, 239), ("feature_stats_no_keys.csv", 19, 236)],
)
def test_recovered_moments_give_the_published_d_and_t_back(
    reference_data: Path, name: str, failures: int, successes: int
) -> None:
    table = pd.read_csv(reference_data / "ioi_audit" / name)
    columns = (table[key].to_numpy() for key in ("mean_fail", "mean_succ", "cohens_d", "t_stat"))
    first, rest = moments_from_summary(*columns, failures, successes)
    np.testing.assert_allclose(cohens_d_of_moments(first, rest), table["cohens_d"], rtol=1e-5)
    np.testing.assert_allclose(welch(first, rest).t, table["t_stat"], rtol=1e-5)
    silent = (table["n_fail_active"] == 0).to_numpy()
    assert np.count_nonzero(silent & (first.variance > 1e-6 * rest.variance)) == 0
    assert np.count_nonzero(~silent & (first.variance == 0)) == 0
