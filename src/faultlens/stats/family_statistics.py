"""The statistics that min-P and max-T follow over a family of features, made for many permutations.

Each is a sum over a failure set and a function of that sum, so that a block of features under all
permutations is one matrix product.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix

from faultlens.stats.fisher import p_table

BLOCK_CELLS = 2_500_000  # prompts × features held dense at once
SAME_P = 1e-10  # relative: rounding parts equal p-values of two margins by less, others by more
CONSTANT = 1e-5  # of the largest value: values that spread less are one, read in other batches
ROUNDING = 1e-5  # standard deviations, or of z where z > 1: more than float32 sums lose


class FamilyStatistic(Protocol):
    """A statistic of each feature and outcome: never negative, larger where more extreme."""

    features: int

    def observed(self, failed: np.ndarray) -> np.ndarray:
        """Of every feature under the outcome `failed [n]`: `[features]`."""

    def least_equal(self, observed: np.ndarray) -> np.ndarray:
        """The least permuted value that counts as at least `observed`, rounding allowed for."""

    def require_margins(self, groups: np.ndarray) -> None:
        """`ValueError` unless `groups [sets, n]` have the margins that this is made for."""

    def weights(self, columns: np.ndarray) -> np.ndarray:
        """What is summed over a failure set, float32 `[n, columns]`."""

    def of_sums(self, columns: np.ndarray, sums: np.ndarray) -> np.ndarray:
        """The statistic from those sums, float32 `[columns, sets]`; may write over them."""


class FisherRank:
    """Fisher's exact p on firing, as its rank among all p that the margins admit (0: the largest).

    Ranks make equal p-values equal exactly, whatever margins they come from, and compare as whole
    numbers.

    Args:
        firing: 0/1, CSR `[n, features]`.
        failures: in the outcome.

    The first feature has p = 1/3, the others p = 1:

    >>> firing = csr_matrix(np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0]]))
    >>> FisherRank(firing, failures=2).observed(np.array([True, True, False, False])).tolist()
    [1, 0, 0]
    """

    def __init__(self, firing: csr_matrix, failures: int) -> None:
        self.firing = csc_matrix(firing, dtype=np.float32)  # booleans would not add up
        self.features = firing.shape[1]
        self.failures = failures
        active = np.asarray(self.firing.sum(axis=0)).ravel().astype(int)
        margins, row = np.unique(active, return_inverse=True)
        p_values, place = np.unique(
            p_table(margins, failures, firing.shape[0]), return_inverse=True
        )
        steps = np.cumsum(np.diff(p_values, prepend=0.0) > SAME_P * p_values)
        ranks: np.ndarray = (steps[-1:] - steps).astype(np.int32)
        self.ranks: np.ndarray = ranks[place.ravel()]  # by margin and failures active, flat
        self.offset: np.ndarray = row * (failures + 1)  # of each feature's row in `ranks`

    def observed(self, failed: np.ndarray) -> np.ndarray:
        self.require_margins(failed[None])
        counts = np.rint(self.firing.T @ failed.astype(np.float32)).astype(int)
        result: np.ndarray = self.ranks[self.offset + counts]
        return result

    def least_equal(self, observed: np.ndarray) -> np.ndarray:
        return observed

    def require_margins(self, groups: np.ndarray) -> None:
        sizes = np.count_nonzero(groups, axis=1)
        if (sizes != self.failures).any():
            wrong = int(sizes[sizes != self.failures][0])
            raise ValueError(
                f"a failure set of {wrong}: expected {self.failures}, as in the outcome"
            )

    def weights(self, columns: np.ndarray) -> np.ndarray:
        result: np.ndarray = self.firing[:, columns].toarray()
        return result

    def of_sums(self, columns: np.ndarray, sums: np.ndarray) -> np.ndarray:
        cells = sums.astype(np.intp)
        cells += self.offset[columns, None]
        result: np.ndarray = self.ranks.take(cells)
        return result


class PermutationZ:
    """|z| of the sum over failures, its mean and spread those of permutation within strata.

    Mean `Σ_s f_s · x̄_s`, variance `Σ_s f_s (n_s − f_s) / (n_s (n_s − 1)) · Σ_{i in s} (x_i − x̄_s)²`
    over strata s of n_s prompts and f_s failures. A stratum with one outcome adds nothing; where
    the variance is 0, z is 0.

    Args:
        values: CSR `[n, features]`.
        failed: an outcome, `[n]`, of which only the margins matter.
        strata: a whole number for each prompt, `[n]`; None: all prompts are one stratum.

    The last two prompts both succeed, and say nothing within strata:

    >>> values = csr_matrix(np.array([[1.0], [4.0], [2.0], [0.0], [9.0]]))
    >>> failed = np.array([False, True, False, False, False])
    >>> PermutationZ(values, failed, np.array([0, 0, 0, 1, 1])).observed(failed).round(4).tolist()
    [1.3363]
    >>> PermutationZ(values, failed).observed(failed).round(4).tolist()
    [0.251]
    """

    def __init__(
        self, values: csr_matrix, failed: np.ndarray, strata: np.ndarray | None = None
    ) -> None:
        n = values.shape[0]
        self.values = csc_matrix(values)
        self.features = values.shape[1]
        self.codes = np.zeros(n, dtype=int)
        if strata is not None:
            self.codes = np.unique(strata, return_inverse=True)[1]
        sizes = np.bincount(self.codes)
        self.members = csr_matrix((np.ones(n), (self.codes, np.arange(n))))  # [strata, n]
        self.failures: np.ndarray = self.members @ np.asarray(failed > 0, dtype=float)
        self.share = (self.failures / sizes)[self.codes]
        self.sizes = sizes
        factor = self.failures * (sizes - self.failures) / (sizes * np.maximum(sizes - 1, 1))
        self.factor = factor[self.codes]
        self.spread = self._spread()

    def observed(self, failed: np.ndarray) -> np.ndarray:
        self.require_margins(failed[None])
        surplus = np.where(self.factor > 0, failed - self.share, 0.0)
        return self._scaled(np.abs(self.values.T @ surplus), self.spread)

    def least_equal(self, observed: np.ndarray) -> np.ndarray:
        result: np.ndarray = observed - ROUNDING * np.maximum(observed, 1.0)
        return result

    def require_margins(self, groups: np.ndarray) -> None:
        counts = (self.members @ (groups > 0).T.astype(np.float32)).T
        wrong = np.argwhere(counts != self.failures)
        if len(wrong):
            group, stratum = wrong[0]
            raise ValueError(
                f"a failure set of {counts[group, stratum]:.0f} in stratum {stratum}: "
                f"expected {self.failures[stratum]:.0f}, as in the outcome"
            )

    def weights(self, columns: np.ndarray) -> np.ndarray:
        centred = self._centred(self._dense(columns))
        result: np.ndarray = self._scaled(centred, self.spread[columns]).astype(np.float32)
        return result

    def of_sums(self, columns: np.ndarray, sums: np.ndarray) -> np.ndarray:
        result: np.ndarray = np.abs(sums, out=sums)
        return result

    def _dense(self, columns: np.ndarray) -> np.ndarray:
        """Float64 `[n, columns]`; 0 in strata with one outcome."""
        dense: np.ndarray = self.values[:, columns].toarray().astype(np.float64)
        dense[self.factor == 0] = 0.0
        return dense

    def _centred(self, dense: np.ndarray) -> np.ndarray:
        """Deviations from the stratum's mean."""
        sums: np.ndarray = self.members @ dense
        result: np.ndarray = dense - (sums / self.sizes[:, None])[self.codes]
        return result

    @staticmethod
    def _scaled(sums: np.ndarray, spread: np.ndarray) -> np.ndarray:
        result: np.ndarray = np.divide(sums, spread, out=np.zeros_like(sums), where=spread > 0)
        return result

    def _spread(self) -> np.ndarray:
        """The permutation standard deviation, `[features]`; 0 where it is rounding."""
        result = np.empty(self.features)
        of_one_value = CONSTANT * np.sqrt(self.factor.sum())
        step = max(1, BLOCK_CELLS // max(1, len(self.codes)))
        for start in range(0, self.features, step):
            columns = np.arange(start, min(start + step, self.features))
            dense = self._dense(columns)
            spread = np.sqrt(self.factor @ self._centred(dense) ** 2)
            rounding = of_one_value * np.abs(dense).max(axis=0)
            result[columns] = np.where(spread > rounding, spread, 0.0)
        return result
