"""The null of the best feature, against one feature and one group at a time."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from faultlens.stats import label_null
from faultlens.stats.effects import auroc, midranks
from faultlens.stats.label_null import (
    max_null,
    permutation_p,
    random_sets,
    random_sets_within,
)


def tied_values(n: int, features: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.poisson(1.3, size=(n, features)).astype(np.float32)


def auroc_null(values: np.ndarray, size: int, groups: np.ndarray) -> np.ndarray:
    n, features = values.shape
    offset = np.full(features, -(size + 1) / (2 * (n - size)))
    return max_null(midranks(values), 1 / (size * (n - size)), offset, groups)


@pytest.mark.parametrize(("size", "n"), [(0, 4), (1, 5), (19, 255), (10, 70), (236, 255), (6, 6)])
def test_groups_have_the_exact_size(size: int, n: int) -> None:
    groups = random_sets(n, size, 50, np.random.default_rng(0))
    assert groups.shape == (50, n)
    assert groups.dtype == bool
    assert (groups.sum(axis=1) == size).all()


def test_every_group_is_equally_likely() -> None:
    groups = random_sets(6, 2, 15_000, np.random.default_rng(1))
    pairs = [tuple(np.flatnonzero(group)) for group in groups]
    counts = [pairs.count(pair) for pair in combinations(range(6), 2)]
    assert sum(counts) == 15_000
    assert stats.chisquare(counts).pvalue > 0.001


def test_groups_follow_from_the_generator() -> None:
    first, again, other = (random_sets(70, 10, 20, np.random.default_rng(s)) for s in (2, 2, 3))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(("size", "n"), [(3, 11), (9, 11), (10, 70)])
def test_score_null_is_the_best_feature_of_each_group(size: int, n: int) -> None:
    """The score: texts above the threshold inside the group, minus those outside."""
    above = (tied_values(n, 7, seed=4) > 1).astype(np.float32)
    groups = random_sets(n, size, 40, np.random.default_rng(5))
    best = []
    for group in groups:
        scores = []
        for column in above.T:
            inside = sum(1 for a, g in zip(column, group, strict=True) if a and g)
            outside = sum(1 for a, g in zip(column, group, strict=True) if a and not g)
            scores.append(inside - outside)
        best.append(max(scores))
    assert max_null(above, 2.0, -above.sum(axis=0), groups).tolist() == best


@pytest.mark.parametrize(("size", "n"), [(3, 11), (9, 11), (10, 70)])
def test_auroc_null_is_the_best_feature_of_each_group(size: int, n: int) -> None:
    values = tied_values(n, 5, seed=6)
    groups = random_sets(n, size, 30, np.random.default_rng(7))
    best = [max(roc_auc_score(group, column) for column in values.T) for group in groups]
    np.testing.assert_allclose(auroc_null(values, size, groups), best, rtol=1e-12)


@pytest.mark.parametrize(("size", "n"), [(285, 300), (950, 1000)])
def test_ties_with_the_observed_value_are_ties_whatever_the_sizes(size: int, n: int) -> None:
    """The sum and the offset nearly cancel here: float32 would part equal values."""
    values = tied_values(n, 3, seed=8)
    groups = random_sets(n, size, 30, np.random.default_rng(9))
    best = [auroc(midranks(values), group > 0).max() for group in groups]
    np.testing.assert_allclose(auroc_null(values, size, groups), best, rtol=0, atol=1e-12)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = tied_values(70, 6, seed=10)
    groups = random_sets(70, 10, 25, np.random.default_rng(11))
    whole = auroc_null(values, 10, groups)
    monkeypatch.setattr(label_null, "BLOCK_CELLS", 20)  # three groups at a time, one left over
    np.testing.assert_array_equal(auroc_null(values, 10, groups), whole)


@pytest.mark.parametrize("size", [2, 10, 35, 68])
def test_features_left_out_could_not_have_been_the_best(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Sparse features, most of which can reach nothing, in blocks of 16: the result is that of all.

    The offsets differ between features, as the score's do, so that the bound is not the order of
    the weights.
    """
    monkeypatch.setattr(label_null, "BLOCK_FEATURES", 16)
    rng = np.random.default_rng(14)
    above = (rng.random((70, 300)) < rng.beta(0.3, 3, 300)).astype(np.float32)
    groups = random_sets(70, size, 200, rng)
    offset = -above.sum(axis=0)
    plain = (2 * groups @ above + offset).max(axis=1)
    np.testing.assert_array_equal(max_null(above, 2.0, offset, groups), plain)
    ranks = midranks(above * rng.random((70, 300)))
    aurocs = (groups @ ranks - size * (size + 1) / 2).max(axis=1) / (size * (70 - size))
    np.testing.assert_allclose(auroc_null(ranks, size, groups), aurocs, atol=1e-12)


def test_groups_within_strata_hold_as_many_of_each_and_are_equally_likely() -> None:
    inside = np.array([1, 1, 0, 0, 1, 0, 0, 0, 0], dtype=bool)
    strata = np.array([0, 0, 0, 0, 5, 5, 5, 2, 2])
    groups = random_sets_within(inside, strata, 9_000, np.random.default_rng(15))
    for stratum, size in ((0, 2), (5, 1), (2, 0)):
        assert (groups[:, strata == stratum].sum(axis=1) == size).all()
    kinds, counts = np.unique(groups, axis=0, return_counts=True)
    assert len(kinds) == 6 * 3
    assert stats.chisquare(counts).pvalue > 0.001


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-8, 8), max_size=30), st.integers(-9, 9))
def test_permutation_p_is_the_share_at_least_as_large_and_never_zero(
    null: list[int], observed: int
) -> None:
    p = permutation_p(np.array(null, dtype=float), float(observed))
    assert p == sum(value >= observed for value in [*null, observed]) / (len(null) + 1)
    assert 0 < p <= 1


def test_permutation_p_falls_as_the_observed_value_rises() -> None:
    null = np.random.default_rng(12).normal(size=99)
    p = [permutation_p(null, observed) for observed in np.linspace(-4, 4, 41)]
    assert (np.diff(p) <= 0).all()
    assert (p[0], p[-1]) == (1.0, 0.01)


def test_permutation_p_takes_rounding_for_a_tie() -> None:
    assert permutation_p(np.array([0.1 + 0.2, 0.2]), 0.3) == 2 / 3
    assert permutation_p(np.array([0.3, 0.2]), 0.1 + 0.2) == 2 / 3


def test_random_labels_rarely_pass_and_a_planted_specialist_always_does() -> None:
    n, size, rng = 70, 10, np.random.default_rng(13)
    values = rng.lognormal(size=(n, 40)).astype(np.float32)
    null = auroc_null(values, size, random_sets(n, size, 499, rng))
    ranks = midranks(values)
    draws = random_sets(n, size, 200, rng)
    passed = [permutation_p(null, auroc(ranks, draw > 0).max()) <= 0.05 for draw in draws]
    assert sum(passed) <= stats.binom.ppf(0.99, 200, 0.05)
    planted = np.arange(n) < size
    values[planted, 17] += 50
    null = auroc_null(values, size, random_sets(n, size, 499, rng))
    assert permutation_p(null, auroc(midranks(values), planted).max()) == 1 / 500


@pytest.mark.parametrize("fires", [1, 2, 3, 4])
def test_what_cannot_reach_the_observed_changes_no_p(fires: int) -> None:
    """A feature of `fires` texts can reach .5 + fires / 24, and does with some group of 12."""
    rng = np.random.default_rng(5)
    values = np.zeros((30, 40))
    for feature in range(40):
        on = rng.choice(30, 1 + feature % 4, replace=False)
        values[on, feature] = 1 + rng.random(len(on))
    groups = random_sets(30, 12, 800, rng)
    ranks, offset, scale = midranks(values), np.full(40, -13 / (2 * 18)), 1 / (12 * 18)
    whole = max_null(ranks, scale, offset, groups)
    least = 0.5 + fires / 24
    part = max_null(ranks, scale, offset, groups, least)
    assert (abs(whole - least) < 1e-6).any(), "the bound is reached"
    for observed in (least, least + 1 / 24):
        assert permutation_p(part, observed) == permutation_p(whole, observed)
    left_out = max_null(ranks, scale, offset, groups, least + 1e-3)
    assert (left_out < least - 1e-3).any() or np.isneginf(left_out).any()
    assert np.isneginf(max_null(ranks, scale, offset, groups, 0.7)).all(), "four texts reach .667"
