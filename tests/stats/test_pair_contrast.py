"""Meaning against surface: the contrast by hand, its null by SciPy, its error and its power."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import jaccard_score

from faultlens.stats.label_null import permutation_p
from faultlens.stats.pair_contrast import comparable_forms, jaccard_matrix, pair_contrast

# Two sets of forms that share no meaning: (0, 1, 2) with meanings 0-3, and (3, 4) with 4-6. Form 2
# lacks meaning 3, so that the forms are unequal.
FORMS = np.array([0] * 4 + [1] * 4 + [2] * 3 + [3] * 3 + [4] * 3)
MEANINGS = np.array([0, 1, 2, 3, 2, 0, 1, 3, 1, 2, 0, 4, 5, 6, 6, 4, 5])


def similarities(seed: int, n: int = len(FORMS)) -> np.ndarray:
    values = np.random.default_rng(seed).random((n, n))
    return (values + values.T) / 2


def by_hand(similarity: np.ndarray, meanings: np.ndarray, forms: np.ndarray) -> tuple[float, float]:
    held = {form: set(meanings[forms == form]) for form in set(forms.tolist())}
    within, between = [], []
    for i in range(len(forms)):
        for j in range(i):
            if forms[i] != forms[j] and held[forms[i]] & held[forms[j]]:
                (within if meanings[i] == meanings[j] else between).append(similarity[i, j])
    return float(np.mean(within)), float(np.mean(between))


def test_the_means_are_over_pairs_of_different_comparable_forms() -> None:
    similarity = similarities(0)
    found = pair_contrast(similarity, MEANINGS, FORMS, 10, np.random.default_rng(0))
    assert (found.within, found.between) == pytest.approx(by_hand(similarity, MEANINGS, FORMS))
    assert found.difference == pytest.approx(found.within - found.between)
    assert set(comparable_forms(MEANINGS, FORMS)) == {(0, 1), (0, 2), (1, 2), (3, 4)}


def test_the_null_permutes_meanings_within_each_form_by_itself() -> None:
    """Against all 3! × 2! × 3! relabellings of a small design, each as likely as any other."""
    forms, meanings = np.array([0, 0, 0, 1, 1, 2, 2, 2]), np.array([0, 1, 2, 0, 1, 0, 1, 2])
    similarity = similarities(1, 8)
    every = []
    orders = [permutations(meanings[forms == form].tolist()) for form in range(3)]
    for relabelled in product(*orders):
        within, between = by_hand(similarity, np.concatenate(relabelled), forms)
        every.append(within - between)
    found = pair_contrast(similarity, meanings, forms, 40_000, np.random.default_rng(2))
    values, counts = np.unique(found.null.round(9), return_counts=True)
    expected, weights = np.unique(np.array(every).round(9), return_counts=True)
    np.testing.assert_allclose(values, expected)
    assert stats.chisquare(counts, weights / weights.sum() * 40_000).pvalue > 0.001


def test_two_forms_agree_with_scipys_permutation_of_pairings() -> None:
    n = 9
    forms, meanings = np.repeat([0, 1], n), np.tile(np.arange(n), 2)
    similarity = similarities(3, 2 * n)
    similarity[np.arange(n), np.arange(n, 2 * n)] += 0.3
    similarity[np.arange(n, 2 * n), np.arange(n)] += 0.3
    block = similarity[:n, n:]

    def paired(order: np.ndarray) -> float:
        return float(block[order.astype(int), np.arange(n)].mean())

    referee = stats.permutation_test(
        (np.arange(n),), paired, permutation_type="pairings", alternative="greater",
        n_resamples=20_000, rng=np.random.default_rng(4), vectorized=False,
    )  # fmt: skip
    found = pair_contrast(similarity, meanings, forms, 20_000, np.random.default_rng(5))
    p = permutation_p(found.null, found.difference)
    assert 0.001 < p < 0.5
    assert p == pytest.approx(referee.pvalue, abs=0.012)


def test_surface_alone_is_rarely_taken_for_meaning_and_meaning_always_seen() -> None:
    """Texts that share their form's features, and of their own only noise: 5 % at most pass."""
    rng = np.random.default_rng(6)
    forms, meanings = np.repeat([0, 1, 2], 12), np.tile(np.arange(12), 3)
    style = rng.random((3, 200)) < 0.2
    passed = 0
    for _ in range(200):
        members = style[forms] | (rng.random((36, 200)) < 0.1)
        found = pair_contrast(jaccard_matrix(members), meanings, forms, 199, rng)
        passed += permutation_p(found.null, found.difference) <= 0.05
    assert passed <= stats.binom.ppf(0.99, 200, 0.05)
    sense = rng.random((12, 200)) < 0.03
    members = style[forms] | sense[meanings] | (rng.random((36, 200)) < 0.05)
    found = pair_contrast(jaccard_matrix(members), meanings, forms, 999, rng)
    assert permutation_p(found.null, found.difference) == 1 / 1000


def test_what_cannot_be_contrasted_is_refused() -> None:
    for meanings, forms in (([0, 1], [0, 1]), ([0, 0], [0, 1]), ([0, 1], [0, 0])):
        with pytest.raises(ValueError, match="pairs within meanings and pairs between them"):
            pair_contrast(np.ones((2, 2)), np.array(meanings), np.array(forms), 9,
                          np.random.default_rng(0))  # fmt: skip


def test_jaccard_agrees_with_scikit_learn() -> None:
    members = np.random.default_rng(7).random((6, 30)) < np.array([[0.1, 0.3, 0.6, 0.9, 0, 0]]).T
    found = jaccard_matrix(members)
    for i, j in product(range(6), repeat=2):
        expected = jaccard_score(members[i], members[j], zero_division=0)
        assert found[i, j] == pytest.approx(expected, abs=1e-6)
