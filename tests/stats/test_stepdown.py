"""Step-down min-P and max-T: plain loops as referee, planted truth, and the error under a null."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.sparse import csr_matrix

from faultlens.stats import stepdown
from faultlens.stats.label_null import random_groups
from faultlens.stats.stepdown import max_t, min_p

FAILURES, N = 19, 255
StepDown = Callable[[csr_matrix, np.ndarray, np.ndarray], np.ndarray]


def firing_of(values: np.ndarray) -> csr_matrix:
    return csr_matrix((values > 0).astype(np.float32))


def fires(values: np.ndarray, groups: np.ndarray, failed: np.ndarray) -> np.ndarray:
    return min_p(firing_of(values), groups, failed)


def strength(values: np.ndarray, groups: np.ndarray, failed: np.ndarray) -> np.ndarray:
    return max_t(csr_matrix(values), groups, failed)


BOTH = pytest.mark.parametrize("adjust", [fires, strength])


def activations(n: int, features: int, rng: np.random.Generator) -> np.ndarray:
    """Skewed and sparse; some features fire on a handful of prompts, some on nearly all."""
    mask = rng.random((n, features)) < rng.uniform(0.03, 0.97, features)
    return (rng.lognormal(size=(n, features)) * mask).astype(np.float32)


def first_failed(failures: int, n: int) -> np.ndarray:
    return np.arange(n) < failures


def by_loops(observed: list[float], drawn: list[list[float]]) -> list[float]:
    """Westfall and Young's step-down for extremes that are large, word for word."""
    adjusted = [0.0] * len(observed)
    remaining = sorted(range(len(observed)), key=lambda f: -observed[f])
    before = 0.0
    while remaining:
        feature = remaining[0]
        reached = 1
        for draw in drawn:
            if max(draw[f] for f in remaining) >= observed[feature] * (1 - 1e-6):
                reached += 1
        before = max(before, reached / (len(drawn) + 1))
        adjusted[feature] = before
        remaining = remaining[1:]
    return adjusted


def minus_log_p(values: np.ndarray, failed: np.ndarray) -> list[float]:
    extremes = []
    for column in values.T > 0:
        table = [[np.sum(column & failed), np.sum(~column & failed)]]
        table.append([np.sum(column & ~failed), np.sum(~column & ~failed)])
        extremes.append(1 - float(np.log(stats.fisher_exact(table).pvalue)))
    return extremes


def absolute_z(values: np.ndarray, failed: np.ndarray) -> list[float]:
    """The permutation z by listing every set of failures, not by a formula for its spread."""
    extremes = []
    for column in values.T.astype(float):
        sets = combinations(column, int(failed.sum()))
        sums = np.array([sum(chosen) for chosen in sets])
        spread = sums.std()
        gap = abs(column[failed].sum() - sums.mean())
        extremes.append(gap / spread if spread > 1e-12 else 0.0)
    return extremes


@pytest.mark.parametrize(("adjust", "extremes"), [(fires, minus_log_p), (strength, absolute_z)])
@pytest.mark.parametrize("seed", range(3))
def test_adjusted_p_is_that_of_plain_loops(
    adjust: StepDown, extremes: Callable[[np.ndarray, np.ndarray], list[float]], seed: int
) -> None:
    """With strong, weak and tied features, and ones that never, always and constantly fire."""
    rng = np.random.default_rng(seed)
    failed = first_failed(4, 11)
    values = activations(11, 8, rng)
    values[:, 0] = np.where(failed, 2.0, 0.0)
    values[:, 1] = np.where(failed | (np.arange(11) == 7), 2.0, 0.0)
    values[:, 2] = 0.0
    values[:, 3] = rng.lognormal(size=11) + 2 * failed
    values[:, 4] = 0.1
    values[:, 5] = (np.arange(11) % 3 > 0) * (np.arange(11) > 3)
    values[:, 7] = values[:, 6]
    groups = random_groups(11, 4, 60, rng)
    drawn = [extremes(values, group > 0) for group in groups]
    expected = by_loops(extremes(values, failed), drawn)
    assert len(set(expected)) > 3
    assert adjust(values, groups, failed).tolist() == pytest.approx(expected)


@BOTH
def test_a_copy_of_the_outcome_is_found_and_noise_is_not(adjust: StepDown) -> None:
    rng = np.random.default_rng(10)
    failed = first_failed(FAILURES, N)
    noise_found = 0
    for _ in range(20):
        values = activations(N, 60, rng)
        values[:, 23] = np.where(failed, 1.7, 0.0)
        p = adjust(values, random_groups(N, FAILURES, 199, rng), failed)
        assert p[23] == 1 / 200
        noise_found += bool(np.delete(p, 23).min() <= 0.05)
    assert noise_found <= stats.binom.ppf(0.99, 20, 0.05)


def test_a_dense_feature_that_differs_in_strength_is_found_by_max_t_alone() -> None:
    rng = np.random.default_rng(11)
    failed = first_failed(61, 300)
    values = activations(300, 30, rng)
    values[:, 4] = np.where(failed, 4.0, 6.0) + rng.normal(0, 1, 300)
    assert (values[:, 4] > 0).all()
    groups = random_groups(300, 61, 499, rng)
    assert strength(values, groups, failed)[4] == 1 / 500
    assert fires(values, groups, failed)[4] == 1.0


@BOTH
def test_stepping_down_finds_a_second_feature_behind_a_first(adjust: StepDown) -> None:
    """The single-step p of the weaker feature is larger: the strongest still compete with it."""
    failed = first_failed(4, 9)
    values = np.zeros((9, 2), dtype=np.float32)
    values[:4, 0] = 1.0
    values[:3, 1] = 1.0
    values[4, 1] = 1.0
    groups = np.array([failed[order] for order in _rotations(9)], dtype=np.float32)
    both = adjust(values, groups, failed)
    alone = adjust(values[:, 1:], groups, failed)
    assert both[1] == max(both[0], alone[0])


def _rotations(n: int) -> list[np.ndarray]:
    return [np.roll(np.arange(n), shift) for shift in range(1, n)]


@BOTH
def test_family_wise_error_under_a_true_null_is_at_most_its_level(adjust: StepDown) -> None:
    """19 against 236, where Welch's t with Holm errs nearly always."""
    rng = np.random.default_rng(12)
    values = activations(N, 60, rng)
    errors = 0
    for outcome in random_groups(N, FAILURES, 200, rng):
        groups = random_groups(N, FAILURES, 199, rng)
        errors += bool(adjust(values, groups, outcome > 0).min() <= 0.05)
    assert errors <= stats.binom.ppf(0.99, 200, 0.05)


@BOTH
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), failures=st.integers(2, 18))
def test_adjusted_p_follows_the_features_and_is_at_least_the_raw_p(
    adjust: StepDown, seed: int, failures: int
) -> None:
    rng = np.random.default_rng(seed)
    failed = first_failed(failures, 20)
    values = activations(20, 6, rng)
    groups = random_groups(20, failures, 49, rng)
    p = adjust(values, groups, failed)
    order = rng.permutation(6)
    np.testing.assert_allclose(adjust(values[:, order], groups, failed), p[order])
    raw = np.array([adjust(values[:, [f]], groups, failed)[0] for f in range(6)])
    assert (p >= raw).all()
    assert (p > 0).all()
    assert (p <= 1).all()


@BOTH
def test_blocks_change_nothing(adjust: StepDown, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(13)
    values, failed = activations(40, 8, rng), first_failed(9, 40)
    groups = random_groups(40, 9, 50, rng)
    whole = adjust(values, groups, failed)
    monkeypatch.setattr(stepdown, "BLOCK_CELLS", 24)  # three groups at a time, two left over
    np.testing.assert_array_equal(adjust(values, groups, failed), whole)


@BOTH
@pytest.mark.parametrize("dtype", [bool, np.int8, np.float64])
def test_the_type_of_the_groups_changes_nothing(adjust: StepDown, dtype: type) -> None:
    rng = np.random.default_rng(14)
    failed = first_failed(140, 300)
    values = activations(300, 10, rng)
    values[:, 0] = failed
    groups = random_groups(300, 140, 99, rng)
    expected = adjust(values, groups, failed)
    np.testing.assert_array_equal(adjust(values, groups.astype(dtype), failed), expected)
    firing = csr_matrix(values > 0).astype(dtype)
    minimum = min_p(firing, groups.astype(dtype), failed)
    np.testing.assert_array_equal(minimum, fires(values, groups, failed))


def test_max_t_sees_both_directions_and_no_constant() -> None:
    rng = np.random.default_rng(15)
    failed = first_failed(61, 300)
    values = activations(300, 5, rng)
    values[:, 0] = np.where(failed, 3.0, 0.0)
    values[:, 1] = np.where(failed, 0.0, 3.0)
    values[:, 2] = 0.1
    p = strength(values, random_groups(300, 61, 199, rng), failed)
    assert p[:3].tolist() == [1 / 200, 1 / 200, 1.0]


def test_max_t_ignores_units() -> None:
    rng = np.random.default_rng(16)
    values, failed = activations(60, 8, rng), first_failed(14, 60)
    groups = random_groups(60, 14, 199, rng)
    scaled = values * np.float32(2.0) ** np.arange(-12, 12, 3, dtype=np.float32)
    np.testing.assert_array_equal(
        strength(scaled, groups, failed), strength(values, groups, failed)
    )
