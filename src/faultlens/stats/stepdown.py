"""Step-down min-P and max-T: family-wise error controlled by permuting the outcome.

Both use the joint distribution of all features under permutation, and therefore lose less than Holm
where features go together. Reference: Westfall & Young (1993), algorithms 2.8 and 4.1.

Features are walked from the least extreme to the most, with one running maximum for each
permutation: it is the maximum over the features no more extreme than the last one walked, which is
what stepping down asks for, and what is left at the end is the null of the family's best feature.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from faultlens.stats.family_statistic import FamilyStatistic
from faultlens.stats.fisher_rank import FisherRank
from faultlens.stats.permutation_z import PermutationZ
from faultlens.stats.set_sums import column_blocks, set_blocks


def min_p(firing: csr_matrix, sets: np.ndarray, failed: np.ndarray) -> np.ndarray:
    """Adjusted p-values of Fisher's exact test on firing.

    Args:
        firing: 0/1, CSR `[n, features]`.
        sets: random failure sets of the true size, `[permutations, n]` 0/1.
        failed: the outcome, boolean `[n]`.

    Returns:
        `[features]`, exact for every feature: one more than the permutations in which the least p
        of the features with no smaller p than this one is at most this one's, over one more than
        the permutations; then monotone in p. `ValueError` for a set of another size.

    >>> firing = csr_matrix(np.array([[1, 1], [1, 0], [0, 1], [0, 1]]))
    >>> sets = np.array([[1, 0, 1, 0], [0, 1, 1, 0], [0, 0, 1, 1]])
    >>> min_p(firing, sets, np.array([True, True, False, False])).tolist()
    [0.5, 1.0]
    """
    return _step_down(FisherRank(firing, int(failed.sum())), sets, failed)


def max_t(
    values: csr_matrix, sets: np.ndarray, failed: np.ndarray, strata: np.ndarray | None = None
) -> np.ndarray:
    """Adjusted p-values of the difference in pooled activation, as a permutation z (two-sided).

    z = (sum over failures − its permutation mean) / its permutation standard deviation, where the
    outcome is permuted within the strata (formulas: `permutation_z.PermutationZ`). A feature
    that is constant within every stratum with both outcomes has z = 0 and p = 1.

    Args:
        values: pooled activations, CSR `[n, features]`.
        sets: random failure sets, `[permutations, n]` 0/1, with as many failures as the outcome
            has: in each stratum, where there are strata (`strata.stratified_sets` makes them).
        failed: the outcome, boolean `[n]`.
        strata: a whole number for each prompt, `[n]`; None: all prompts are one stratum.

    Returns:
        `[features]`, exact for every feature. `ValueError` for sets of other margins.

    >>> values = csr_matrix(np.array([[5.0, 0.0], [3.0, 1.0], [2.0, 0.0], [0.0, 0.0]]))
    >>> sets = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 1]])
    >>> failed = np.array([True, True, False, False])
    >>> max_t(values, sets, failed).tolist()
    [0.25, 1.0]
    >>> max_t(values, sets[1:], failed > [0, 1, 0, 0], strata=np.array([0, 0, 1, 1]))
    Traceback (most recent call last):
    ValueError: a failure set of 1 in stratum 1: expected 0, as in the outcome
    """
    return _step_down(PermutationZ(values, failed, strata), sets, failed)


@dataclass(frozen=True, eq=False)
class FamilyNull:
    """What random outcomes of given margins make of a family's most extreme feature.

    It depends on the outcome through its margins alone (how many failures, in each stratum), so one
    null serves every outcome that shares them.
    """

    largest: np.ndarray
    """The family's largest statistic in each permutation, `[permutations]`."""
    statistic: FamilyStatistic

    def p_of(self, failed: np.ndarray) -> float:
        """The family's least adjusted p-value under the outcome `failed [n]`; 1 without features.

        It equals the least of `min_p` or `max_t` with the same sets. `ValueError` for an outcome
        of other margins.
        """
        observed = self.statistic.observed(failed)
        if not len(observed):
            return 1.0
        least = self.statistic.least_equal(observed).max()
        return float((1 + np.count_nonzero(self.largest >= least)) / (1 + len(self.largest)))


def min_p_null(firing: csr_matrix, sets: np.ndarray) -> FamilyNull:
    """The null of `min_p` for every outcome with as many failures as each of `sets`.

    Args:
        firing: 0/1, CSR `[n, features]`.
        sets: random failure sets of one size, `[permutations, n]` 0/1, at least one.

    >>> firing = csr_matrix(np.array([[1, 1], [1, 0], [0, 1], [0, 1]]))
    >>> sets = np.array([[1, 0, 1, 0], [0, 1, 1, 0], [0, 0, 1, 1]])
    >>> null = min_p_null(firing, sets)
    >>> null.p_of(np.array([True, True, False, False])), null.p_of(sets[0] > 0)
    (0.5, 1.0)
    """
    return _null(FisherRank(firing, int(sets[0].sum())), sets)


def max_t_null(
    values: csr_matrix, sets: np.ndarray, strata: np.ndarray | None = None
) -> FamilyNull:
    """The null of `max_t` for every outcome with as many failures, by stratum, as each of `sets`.

    Args:
        values: pooled activations, CSR `[n, features]`.
        sets: random failure sets, `[permutations, n]` 0/1, at least one.
        strata: a whole number for each prompt, `[n]`; None: all prompts are one stratum.

    >>> values = csr_matrix(np.array([[5.0, 0.0], [3.0, 1.0], [2.0, 0.0], [0.0, 0.0]]))
    >>> sets = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 1]])
    >>> max_t_null(values, sets).p_of(np.array([True, True, False, False]))
    0.25
    """
    return _null(PermutationZ(values, sets[0] > 0, strata), sets)


def _step_down(statistic: FamilyStatistic, sets: np.ndarray, failed: np.ndarray) -> np.ndarray:
    """Successive maxima over the features that are no more extreme than each, then monotone."""
    observed = statistic.observed(failed)
    statistic.require_margins(sets)
    order = np.argsort(observed, kind="stable")
    least = statistic.least_equal(observed)[order]
    reached = np.zeros(len(order), dtype=int)
    for members in set_blocks(sets):
        for place, maxima in enumerate(_running_maxima(statistic, members, order)):
            reached[place] += np.count_nonzero(maxima >= least[place])
    raw = (1 + reached) / (1 + len(sets))
    adjusted = np.empty(len(order))
    adjusted[order[::-1]] = np.maximum.accumulate(raw[::-1])
    return adjusted


def _running_maxima(
    statistic: FamilyStatistic, members: np.ndarray, order: np.ndarray
) -> Iterator[np.ndarray]:
    """After each feature of `order` the largest statistic of it and those before, `[sets]`."""
    largest: np.ndarray | None = None
    for columns in column_blocks(order, *members.shape):
        for of_feature in statistic.of_sets(columns, members):
            if largest is not None:
                np.maximum(of_feature, largest, out=of_feature)
            largest = of_feature
            yield largest
        largest = None if largest is None else largest.copy()  # without the rest of its block


def _null(statistic: FamilyStatistic, sets: np.ndarray) -> FamilyNull:
    statistic.require_margins(sets)
    largest = []
    for members in set_blocks(sets):
        best = np.zeros(members.shape[1])
        for columns in column_blocks(np.arange(statistic.features), *members.shape):
            for of_feature in statistic.of_sets(columns, members):
                np.maximum(best, of_feature, out=best)
        largest.append(best)
    return FamilyNull(np.concatenate([np.empty(0), *largest]), statistic)
