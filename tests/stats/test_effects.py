"""Effect sizes, against scikit-learn, SciPy and formulas written otherwise."""

from __future__ import annotations

import re
import statistics
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.sparse import csr_matrix
from sklearn.metrics import roc_auc_score

from faultlens.stats.effects import auroc, cohens_d, gini, midranks

SHAPES = [(19, 255), (61, 300), (10, 70), (236, 255), (1, 9)]
AMOUNTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=20).filter(any)


def sparse_activations(n: int, features: int, seed: int) -> np.ndarray:
    """Skewed, tied, mostly zero, as pooled features are."""
    rng = np.random.default_rng(seed)
    fires = rng.random((n, features)) < rng.uniform(0.05, 0.9, features)
    return (rng.lognormal(size=(n, features)).round(1) * fires).astype(np.float32)


def members(size: int, n: int, seed: int) -> np.ndarray:
    inside = np.zeros(n, dtype=bool)
    inside[np.random.default_rng(seed).permutation(n)[:size]] = True
    return inside


def test_midranks_count_the_smaller_and_half_the_equal() -> None:
    values = sparse_activations(40, 6, seed=0)
    smaller = (values[None] < values[:, None]).sum(axis=1)
    equal = (values[None] == values[:, None]).sum(axis=1)
    np.testing.assert_array_equal(midranks(values), smaller + (equal + 1) / 2)


@pytest.mark.parametrize(("size", "n"), SHAPES)
def test_auroc_is_that_of_scikit_learn_and_of_mann_whitney(size: int, n: int) -> None:
    values, inside = sparse_activations(n, 12, seed=1), members(size, n, seed=2)
    ours = auroc(midranks(values), inside)
    np.testing.assert_allclose(ours, [roc_auc_score(inside, column) for column in values.T])
    u = stats.mannwhitneyu(values[inside], values[~inside], method="asymptotic").statistic
    np.testing.assert_allclose(ours, u / (size * (n - size)))


def test_auroc_on_the_reference_residuals_is_that_of_scikit_learn(reference_data: Path) -> None:
    folder = reference_data / "ioi_audit"
    values = np.load(folder / "residuals.npy")[:, ::16]
    failed = pd.read_csv(folder / "predictions.csv")["success"].to_numpy() == 0
    assert (failed.sum(), len(failed)) == (61, 300)
    theirs = [roc_auc_score(failed, column) for column in values.T]
    np.testing.assert_allclose(auroc(midranks(values), failed), theirs)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=40))
def test_auroc_inside_and_outside_sum_to_one(rows: list[tuple[int, bool]]) -> None:
    values = np.array([[float(value)] for value, _ in rows])
    inside = np.array([flag for _, flag in rows])
    inside[:2] = [True, False]
    ranks = midranks(values)
    assert auroc(ranks, inside) + auroc(ranks, ~inside) == pytest.approx(1.0)


def test_auroc_is_one_half_where_all_are_equal_and_one_where_groups_part() -> None:
    inside = members(19, 255, seed=3)
    values = np.column_stack([np.full(255, 2.5), inside, ~inside]).astype(np.float32)
    assert auroc(midranks(values), inside).tolist() == [0.5, 1.0, 0.0]


@pytest.mark.parametrize("inside", [np.zeros(5, dtype=bool), np.ones(5, dtype=bool)])
def test_auroc_of_an_empty_group_is_refused(inside: np.ndarray) -> None:
    with pytest.raises(ValueError, match=re.escape("AUROC needs members inside and outside")):
        auroc(midranks(np.arange(5.0)[:, None]), inside)


@pytest.mark.parametrize(("size", "n"), [(19, 255), (61, 300), (2, 4)])
def test_cohens_d_is_students_t_times_its_root(size: int, n: int) -> None:
    """Unequal sizes and spreads part this from the mean variance, and from dividing by n."""
    first = members(size, n, seed=4)
    values = sparse_activations(n, 10, seed=5) + np.float32(0.25) * np.arange(n)[:, None]
    values[first] *= 3
    t = stats.ttest_ind(values[first].astype(float), values[~first].astype(float)).statistic
    expected = t * np.sqrt(1 / size + 1 / (n - size))
    np.testing.assert_allclose(cohens_d(csr_matrix(values), first), expected, rtol=1e-9)


def test_cohens_d_is_the_textbooks_on_a_case_by_hand() -> None:
    failures, successes = [0.0, 4.0, 5.0], [0.0, 0.0, 1.0, 0.0, 3.0]
    pooled = (2 * statistics.variance(failures) + 4 * statistics.variance(successes)) / 6
    expected = (statistics.mean(failures) - statistics.mean(successes)) / pooled**0.5
    values = csr_matrix(np.array([failures + successes]).T)
    first = np.arange(8) < 3
    assert cohens_d(values, first)[0] == pytest.approx(expected)
    assert cohens_d(values, ~first)[0] == pytest.approx(-expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cohens_d_of_constant_columns_is_zero_or_infinite(dtype: type) -> None:
    """0.1 and 0.7 have no exact float: rounding must not pass for spread."""
    first = members(19, 255, seed=6)
    same = np.tile(np.array([0.0, 0.1, 0.7, 123.4]), (255, 1))
    apart = np.column_stack([np.where(first, 0.7, 0.1), np.where(first, 0.0, 0.1)])
    d = cohens_d(csr_matrix(np.hstack([same, apart]).astype(dtype)), first)
    assert d.tolist() == [0, 0, 0, 0, np.inf, -np.inf]


def test_cohens_d_survives_a_mean_far_above_the_spread() -> None:
    first = members(61, 300, seed=7)
    values = np.random.default_rng(8).normal(100, 0.01, (300, 5)).astype(np.float32)
    values[::50] = 0.0
    values[:, 4] = 100 + 0.01 * np.arange(300)
    t = stats.ttest_ind(values[first].astype(float), values[~first].astype(float)).statistic
    d = cohens_d(csr_matrix(values), first)
    np.testing.assert_allclose(d, t * np.sqrt(1 / 61 + 1 / 239), rtol=1e-6)


def test_cohens_d_leaves_its_input_as_it_was() -> None:
    values = csr_matrix(sparse_activations(30, 4, seed=9).astype(np.float64))
    before = values.toarray()
    cohens_d(values, np.arange(30) < 7)
    np.testing.assert_array_equal(values.toarray(), before)


@pytest.mark.parametrize("order", [np.arange(10)[::-1], np.random.default_rng(0).permutation(10)])
def test_permuting_features_permutes_effects(order: np.ndarray) -> None:
    values, first = sparse_activations(255, 10, seed=10), members(19, 255, seed=11)
    d, area = cohens_d(csr_matrix(values), first), auroc(midranks(values), first)
    np.testing.assert_allclose(cohens_d(csr_matrix(values[:, order]), first), d[order])
    np.testing.assert_allclose(auroc(midranks(values[:, order]), first), area[order])


@settings(deadline=None, max_examples=60)
@given(AMOUNTS)
def test_gini_is_half_the_relative_mean_difference(amounts: list[int]) -> None:
    values = np.array(amounts, dtype=float)
    mean_difference = np.abs(values[:, None] - values[None]).mean()
    assert gini(values) == pytest.approx(mean_difference / (2 * values.mean()), abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(AMOUNTS, st.floats(1e-3, 1e3), st.randoms(use_true_random=False))
def test_gini_ignores_scale_and_order(amounts: list[int], scale: float, random: object) -> None:
    values = np.array(amounts, dtype=float)
    shuffled = list(amounts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert gini(np.array(shuffled) * scale) == pytest.approx(gini(values), abs=1e-12)


def test_gini_runs_from_none_to_all_held_by_one() -> None:
    assert gini(np.zeros(5)) == 0
    assert gini(np.full(5, 3.3)) == pytest.approx(0, abs=1e-12)
    assert gini(np.array([0, 0, 7.0, 0, 0])) == pytest.approx(4 / 5)
