"""The permutation z, against every arrangement listed and against the dense way of summing."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats
from scipy.sparse import csc_matrix, csr_matrix

from faultlens.stats import set_sums
from faultlens.stats.label_null import random_sets
from faultlens.stats.permutation_z import SAME_Z, PermutationZ
from faultlens.stats.strata import stratified_sets


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


STRATA = pytest.mark.parametrize("strata", [None, np.arange(120) % 4])


def awkward(rng: np.random.Generator) -> np.ndarray:
    """Sparse and dense columns, a constant, a small spread on a large mean, values below 0."""
    values = rng.lognormal(size=(120, 12)) * (rng.random((120, 12)) < 0.5)
    values[:, 6:9] *= rng.random((120, 3)) < 0.05
    values[:, 8] = 1000 + rng.random(120)
    values[:, 2] = 0.1
    values[:, 9] = np.where(np.arange(120) == 17, -3.0, 0.0)
    values[:, 10] = np.where(np.isin(np.arange(120), [4, 8, 12]), 1000 + 1e-2 * np.arange(120), 0)
    return values.astype(np.float32)


@STRATA
def test_a_set_that_is_the_outcome_gives_the_observed_statistic(strata: np.ndarray | None) -> None:
    rng = np.random.default_rng(6)
    failed = rng.random(120) < 0.3
    statistic = PermutationZ(csr_matrix(awkward(rng)), failed, strata)
    columns = np.array([8, 2, 0, 5, 9, 7, 6, 10, 11])
    drawn = np.concatenate(list(statistic.of_sets(columns, failed.astype(np.float32)[:, None])))
    np.testing.assert_allclose(drawn, statistic.observed(failed)[columns], atol=2e-6)
    assert drawn[1] == 0


@STRATA
def test_summing_stored_values_or_all_of_them_gives_one_z(
    strata: np.ndarray | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as float32 can: less than the tolerance within which two z count as equal."""
    rng = np.random.default_rng(7)
    values, failed = csr_matrix(awkward(rng)), rng.random(120) < 0.3
    sets = random_sets(120, int(failed.sum()), 200, rng)
    if strata is not None:
        sets = stratified_sets(failed, strata, 200, rng)
    members, columns = sets.T.astype(np.float32), np.arange(12)
    drawn = {}
    for share in (0.0, 1.0):
        monkeypatch.setattr(set_sums, "SPARSE", share)
        statistic = PermutationZ(values, failed, strata)
        drawn[share] = np.stack(list(statistic.of_sets(columns, members)))
        assert statistic.sparse.any() == bool(share)
        assert not statistic.sparse[8]
    np.testing.assert_allclose(drawn[0.0], drawn[1.0], atol=SAME_Z / 2)
    exact = np.array([statistic.observed(one) for one in sets]).T
    np.testing.assert_allclose(drawn[1.0], exact, atol=SAME_Z)


def test_what_cannot_be_centred_first_is_not_summed_by_stored_values() -> None:
    """On three prompts of one stratum 1000 and a little: the little is what differs."""
    strata = np.arange(120) % 40
    values = np.where(strata == 4, 1000 + 1e-2 * np.arange(120), 0.0)[:, None]
    failed = np.arange(120) < 40
    assert not PermutationZ(csr_matrix(values), failed, strata).sparse[0]
    assert PermutationZ(csr_matrix(values), failed).sparse[0]


def test_the_values_that_are_given_are_left_as_they_are() -> None:
    columns = csc_matrix(np.array([[0.0, 2.0], [1.0, 3.0], [4.0, 0.0], [0.0, 1.0]]))
    before = columns.copy()
    PermutationZ(columns, np.array([True, False, True, True]), np.array([0, 0, 1, 1]))
    assert (columns != before).nnz == 0
    assert columns.nnz == before.nnz


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


@pytest.mark.parametrize("strata", [None, np.arange(200) % 4])
def test_what_a_value_loses_in_other_batches_is_no_difference(strata: np.ndarray | None) -> None:
    """A millionth that goes with the outcome is how one value was read; a thousandth is another."""
    failed = np.arange(200) // 4 % 3 == 0
    off = np.array([[0.0, 1e-6, 1e-3]]) * failed[:, None]
    found = PermutationZ(csr_matrix(7.0 * (1 + off)), failed, strata).observed(failed)
    assert found[:2].tolist() == [0.0, 0.0]
    assert found[2] > 10


def test_the_least_that_counts_as_equal_is_the_first_float32_that_is_no_smaller() -> None:
    rng = np.random.default_rng(8)
    failed = rng.random(120) < 0.3
    observed = np.concatenate([[0.0], rng.uniform(0, 30, 200)])
    least = PermutationZ(csr_matrix(awkward(rng)), failed).least_equal(observed)
    exact = observed - SAME_Z * np.maximum(observed, 1.0)
    below = np.nextafter(least, np.float32(-np.inf)).astype(np.float64)
    assert least.dtype == np.float32
    assert (least.astype(np.float64) >= exact).all()
    assert (below < exact).all()
