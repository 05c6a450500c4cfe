"""Step-down min-P and max-T: plain loops as referee, planted truth, and the error under a null."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.sparse import csr_matrix

from faultlens.stats import set_sums
from faultlens.stats.label_null import random_sets
from faultlens.stats.stepdown import max_t, max_t_null, min_p, min_p_null
from faultlens.stats.strata import stratified_sets

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


def absolute_z(
    values: np.ndarray, failed: np.ndarray, strata: np.ndarray | None = None
) -> list[float]:
    """The permutation z by listing every set of failures, not by a formula for its spread."""
    if strata is None:
        strata = np.zeros(len(failed), dtype=int)
    extremes = []
    for column in values.T.astype(float):
        within = [
            combinations(column[strata == s], int(failed[strata == s].sum()))
            for s in np.unique(strata)
        ]
        sums = np.array([sum(sum(part) for part in chosen) for chosen in product(*within)])
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
    groups = random_sets(11, 4, 60, rng)
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
        p = adjust(values, random_sets(N, FAILURES, 199, rng), failed)
        assert p[23] == 1 / 200
        noise_found += bool(np.delete(p, 23).min() <= 0.05)
    assert noise_found <= stats.binom.ppf(0.99, 20, 0.05)


def test_a_dense_feature_that_differs_in_strength_is_found_by_max_t_alone() -> None:
    rng = np.random.default_rng(11)
    failed = first_failed(61, 300)
    values = activations(300, 30, rng)
    values[:, 4] = np.where(failed, 4.0, 6.0) + rng.normal(0, 1, 300)
    assert (values[:, 4] > 0).all()
    groups = random_sets(300, 61, 499, rng)
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
    for outcome in random_sets(N, FAILURES, 200, rng):
        groups = random_sets(N, FAILURES, 199, rng)
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
    groups = random_sets(20, failures, 49, rng)
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
    groups = random_sets(40, 9, 50, rng)
    whole = adjust(values, groups, failed)
    for name in ("SUM_CELLS", "MEMBER_CELLS"):
        monkeypatch.setattr(set_sums, name, 150)  # three features and sets at a time, two left over
    np.testing.assert_array_equal(adjust(values, groups, failed), whole)


@BOTH
@pytest.mark.parametrize("dtype", [bool, np.int8, np.float64])
def test_the_type_of_the_groups_changes_nothing(adjust: StepDown, dtype: type) -> None:
    rng = np.random.default_rng(14)
    failed = first_failed(140, 300)
    values = activations(300, 10, rng)
    values[:, 0] = failed
    groups = random_sets(300, 140, 99, rng)
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
    p = strength(values, random_sets(300, 61, 199, rng), failed)
    assert p[:3].tolist() == [1 / 200, 1 / 200, 1.0]


def test_max_t_ignores_units() -> None:
    rng = np.random.default_rng(16)
    values, failed = activations(60, 8, rng), first_failed(14, 60)
    groups = random_sets(60, 14, 199, rng)
    scaled = values * np.float32(2.0) ** np.arange(-12, 12, 3, dtype=np.float32)
    np.testing.assert_array_equal(
        strength(scaled, groups, failed), strength(values, groups, failed)
    )


STRATA = np.repeat([0, 1, 2, 5], [6, 5, 2, 3])  # the numbers need not be successive
OUTCOME = np.array([1, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1]) > 0  # 2 and 5: one outcome


@pytest.mark.parametrize("seed", range(3))
def test_stratified_max_t_is_that_of_plain_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = activations(16, 8, rng)
    values[:, 0] = np.where(OUTCOME, 2.0, 0.0)
    values[:, 1] = STRATA + 0.1
    values[:, 2] = np.where(STRATA >= 2, rng.lognormal(size=16), 0.3)
    values[:, 3:7] = rng.lognormal(size=(16, 4)) + OUTCOME[:, None] * [3.0, 2.0, 1.0, 0.5]
    groups = stratified_sets(OUTCOME, STRATA, 60, rng)
    drawn = [absolute_z(values, group > 0, STRATA) for group in groups]
    expected = by_loops(absolute_z(values, OUTCOME, STRATA), drawn)
    assert len(set(expected)) > 2
    adjusted = max_t(csr_matrix(values), groups, OUTCOME, STRATA)
    assert adjusted.tolist() == pytest.approx(expected)
    assert adjusted[1:3].tolist() == [1.0, 1.0]


def test_one_stratum_is_none_and_names_of_strata_do_not_matter() -> None:
    rng = np.random.default_rng(17)
    failed, values = first_failed(9, 40), csr_matrix(activations(40, 8, rng))
    groups = random_sets(40, 9, 199, rng)
    np.testing.assert_array_equal(
        max_t(values, groups, failed, np.full(40, 3)), max_t(values, groups, failed)
    )
    strata = np.arange(40) % 3
    groups = stratified_sets(failed, strata, 199, rng)
    np.testing.assert_array_equal(
        max_t(values, groups, failed, strata), max_t(values, groups, failed, 7 - 2 * strata)
    )


def confounded(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two strata that fail at .8 and .1, and features of which most differ between them only."""
    strata = np.repeat([0, 1], [60, 195])
    failed = rng.random(255) < np.where(strata == 0, 0.8, 0.1)
    values = activations(255, 40, rng)
    values[:, :30] += 2 * (strata == 0)[:, None]
    return values, failed, strata


def test_strata_explain_away_a_proxy_and_keep_what_goes_beyond_them() -> None:
    rng = np.random.default_rng(18)
    values, failed, strata = confounded(rng)
    values[:, 0] = 5.0 * (strata == 0)
    values[:, 35] = np.abs(rng.normal(size=255)) + 2 * failed
    sparse = csr_matrix(values)
    marginal = max_t(sparse, random_sets(255, int(failed.sum()), 499, rng), failed)
    conditional = max_t(sparse, stratified_sets(failed, strata, 499, rng), failed, strata)
    assert marginal[[0, 35]].tolist() == [1 / 500, 1 / 500]
    assert conditional[[0, 35]].tolist() == [1.0, 1 / 500]
    assert np.delete(marginal, [0, 35]).min() == 1 / 500
    assert np.delete(conditional, [0, 35]).min() > 0.05


def test_stratified_family_wise_error_is_at_most_its_level() -> None:
    """Outcomes follow the strata and nothing else: without strata the test errs always."""
    rng = np.random.default_rng(19)
    values, failed, strata = confounded(rng)
    sparse = csr_matrix(values)
    null = max_t_null(sparse, stratified_sets(failed, strata, 1999, rng), strata)
    marginal = max_t_null(sparse, random_sets(255, int(failed.sum()), 1999, rng))
    outcomes = stratified_sets(failed, strata, 400, rng) > 0
    p = np.array([null.p_of(outcome) for outcome in outcomes])
    assert np.count_nonzero(p <= 0.05) <= stats.binom.ppf(0.99, 400, 0.05)
    assert stats.kstest(p, "uniform").pvalue > 0.001
    assert all(marginal.p_of(outcome) <= 0.05 for outcome in outcomes[:50])


@BOTH
def test_one_null_serves_every_outcome_of_its_size(adjust: StepDown) -> None:
    rng = np.random.default_rng(20)
    values = activations(N, 60, rng)
    groups = random_sets(N, FAILURES, 1999, rng)
    if adjust is fires:
        null = min_p_null(firing_of(values), groups)
    else:
        null = max_t_null(csr_matrix(values), groups)
    outcomes = random_sets(N, FAILURES, 400, rng) > 0
    p = np.array([null.p_of(outcome) for outcome in outcomes])
    assert np.count_nonzero(p <= 0.05) <= stats.binom.ppf(0.99, 400, 0.05)
    assert 0.4 < np.mean(p <= 0.5) < 0.6
    for outcome, found in zip(outcomes[:25], p, strict=False):
        assert adjust(values, groups, outcome).min() == found


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), failures=st.integers(1, 19), features=st.integers(0, 5))
def test_the_nulls_p_is_the_least_adjusted_p(seed: int, failures: int, features: int) -> None:
    rng = np.random.default_rng(seed)
    values = activations(20, features, rng).round(1)  # with ties
    strata = rng.integers(0, 3, size=20)
    failed = rng.permutation(first_failed(failures, 20))
    sparse, firing = csr_matrix(values), firing_of(values)
    groups = random_sets(20, failures, 99, rng)
    within = stratified_sets(failed, strata, 99, rng)
    for p, adjusted in [
        (min_p_null(firing, groups).p_of(failed), min_p(firing, groups, failed)),
        (max_t_null(sparse, groups).p_of(failed), max_t(sparse, groups, failed)),
        (max_t_null(sparse, within, strata).p_of(failed), max_t(sparse, within, failed, strata)),
    ]:
        assert p == adjusted.min(initial=1.0)


@BOTH
def test_groups_of_another_size_are_refused(adjust: StepDown) -> None:
    groups = random_sets(40, 9, 5, np.random.default_rng(21))
    values = activations(40, 3, np.random.default_rng(22))
    with pytest.raises(ValueError, match="a failure set of 9.*expected 8, as in the outcome"):
        adjust(values, groups, first_failed(8, 40))


def test_groups_and_outcomes_of_other_margins_within_strata_are_refused() -> None:
    rng = np.random.default_rng(23)
    values = csr_matrix(activations(12, 3, rng))
    message = "a failure set of 1 in stratum 1: expected 2, as in the outcome"
    failed = np.array([1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0]) > 0
    moved = np.array([1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0]) > 0
    strata = np.repeat([0, 1], 6)
    groups = stratified_sets(failed, strata, 5, rng)
    with pytest.raises(ValueError, match="in stratum 0: expected 2, as in the outcome"):
        max_t(values, moved[None], failed, strata)
    with pytest.raises(ValueError, match=message.replace("1:", "0:").replace("of 1", "of 3")):
        max_t_null(values, groups, strata).p_of(moved)
    max_t(values, np.array([moved, moved]), failed)  # without strata the sizes agree


def test_ties_between_margins_are_ties() -> None:
    """A feature and its complement have one p by Fisher's test, at margins of their own."""
    rng = np.random.default_rng(24)
    values = activations(60, 12, rng)
    both = np.hstack([values, (values == 0).astype(np.float32)])
    failed = first_failed(14, 60)
    p = fires(both, random_sets(60, 14, 199, rng), failed)
    np.testing.assert_array_equal(p[:12], p[12:])
