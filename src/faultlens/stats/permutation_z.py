"""The permutation z of a sum over failures, as a statistic of a family."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix

from faultlens.stats.set_sums import column_blocks, in_turn, is_sparse, sparse_sums

ONE_VALUE = 1e-5  # of the largest value: values that spread less are one, read in other batches
SAME_Z = 1e-5  # standard deviations, or of z where z > 1: more than float32 sums lose
UNIT = 2.0**-24  # what one float32 addition loses of its result, at most


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
        self.n, self.features = values.shape
        codes = np.zeros(self.n, dtype=int)
        if strata is not None:
            codes = np.unique(strata, return_inverse=True)[1]
        self.codes = codes
        self.sizes = np.bincount(codes)
        self.members = csr_matrix((np.ones(self.n), (codes, np.arange(self.n))))  # [strata, n]
        self.failures: np.ndarray = self.members @ np.asarray(failed > 0, dtype=float)
        self.share = (self.failures / self.sizes)[codes]
        self.factor = self.failures * (self.sizes - self.failures)
        self.factor = self.factor / (self.sizes * np.maximum(self.sizes - 1, 1))
        self.values = self._informative(csc_matrix(values, copy=True))
        self.spread = self._spread()
        self.expected = self._scaled(self.values.T @ self.share, self.spread)
        self.sparse = self._sparse()

    def observed(self, failed: np.ndarray) -> np.ndarray:
        self.require_margins(failed[None])
        return self._scaled(np.abs(self.values.T @ (failed - self.share)), self.spread)

    def least_equal(self, observed: np.ndarray) -> np.ndarray:
        least: np.ndarray = observed - SAME_Z * np.maximum(observed, 1.0)
        # Permuted z are float32: the first of these numbers that is no smaller.
        single = least.astype(np.float32)
        return np.where(single < least, np.nextafter(single, np.float32(np.inf)), single)

    def require_margins(self, sets: np.ndarray) -> None:
        # Not all sets at once: as float32 they are four times the size that they have.
        for start in range(0, len(sets), 1000):
            counts = (self.members @ (sets[start : start + 1000] > 0).T.astype(np.float32)).T
            wrong = np.argwhere(counts != self.failures)
            if len(wrong):
                one, stratum = wrong[0]
                raise ValueError(
                    f"a failure set of {counts[one, stratum]:.0f} in stratum {stratum}: "
                    f"expected {self.failures[stratum]:.0f}, as in the outcome"
                )

    def of_sets(self, columns: np.ndarray, members: np.ndarray) -> Iterator[np.ndarray]:
        sparse = self.sparse[columns]
        by_stored = self._by_stored_values(columns[sparse], members)
        by_all = self._by_all_values(columns[~sparse], members)
        for z in in_turn(sparse, by_stored, by_all):
            yield np.abs(z, out=z)

    def _by_stored_values(self, columns: np.ndarray, members: np.ndarray) -> np.ndarray:
        scaled = self.values[:, columns].astype(np.float64)
        spread = np.repeat(self.spread[columns], np.diff(scaled.indptr))
        scaled.data = self._scaled(scaled.data, spread)
        sums = sparse_sums(scaled.astype(np.float32), members)
        sums -= self.expected[columns, None].astype(np.float32)
        return sums

    def _by_all_values(self, columns: np.ndarray, members: np.ndarray) -> np.ndarray:
        dense: np.ndarray = self.values[:, columns].toarray().astype(np.float64)
        totals: np.ndarray = self.members @ dense
        centred = dense - (totals / self.sizes[:, None])[self.codes]
        weights = self._scaled(centred, self.spread[columns]).astype(np.float32)
        sums: np.ndarray = weights.T @ members
        return sums

    def _informative(self, values: csc_matrix) -> csc_matrix:
        """The values, written over, without those in strata with one outcome."""
        values.sum_duplicates()
        values.data[self.factor[self.codes[values.indices]] == 0] = 0
        values.eliminate_zeros()
        return values

    def _sparse(self) -> np.ndarray:
        """The features that are summed by their stored values, which cannot be centred first.

        Only those where adding up what is not centred loses less of z than counts: about
        `UNIT · Σ share |x| / spread` an addition, at random.
        """
        support = np.diff(self.values.indptr)
        sums = self._scaled(abs(self.values).T @ self.share, self.spread)
        kept: np.ndarray = is_sparse(support, self.n)
        kept &= UNIT * sums * np.sqrt(support) <= SAME_Z / 2
        return kept

    @staticmethod
    def _scaled(sums: np.ndarray, spread: np.ndarray) -> np.ndarray:
        result: np.ndarray = np.divide(sums, spread, out=np.zeros_like(sums), where=spread > 0)
        return result

    def _spread(self) -> np.ndarray:
        """The permutation standard deviation, `[features]`; 0 where it is rounding."""
        result = np.empty(self.features)
        of_one_value = ONE_VALUE * np.sqrt((self.factor * self.sizes).sum())
        for columns in column_blocks(np.arange(self.features), len(self.sizes), 1):
            part = self.values[:, columns].astype(np.float64)
            totals = csr_matrix(self.members @ part).toarray()
            means = totals / self.sizes[:, None]
            column = np.repeat(np.arange(len(columns)), np.diff(part.indptr))
            stratum = self.codes[part.indices]
            inside = (part.data - means[stratum, column]) ** 2 * self.factor[stratum]
            squares = np.bincount(column, weights=inside, minlength=len(columns))
            stored = (self.members @ part.astype(bool).astype(np.float64)).toarray()
            silent = self.factor @ ((self.sizes[:, None] - stored) * means**2)
            spread = np.sqrt(squares + silent)
            rounding = of_one_value * np.asarray(abs(part).max(axis=0).todense()).ravel()
            result[columns] = np.where(spread > rounding, spread, 0.0)
        return result
