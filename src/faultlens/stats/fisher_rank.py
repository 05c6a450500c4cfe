"""Fisher's exact p on firing as a statistic of a family, over all prompts or within strata."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix

from faultlens.stats.fisher import attainable_p
from faultlens.stats.set_sums import in_turn, is_sparse, sparse_sums

SAME_P = 1e-10  # relative: rounding parts equal p-values of two margins by less, others by more


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
        self.firing.eliminate_zeros()
        self.n, self.features = firing.shape
        self.failures = failures
        self.support = np.diff(self.firing.indptr)
        margins, row = np.unique(self.support, return_inverse=True)
        tables = [attainable_p(int(margin), failures, self.n) for margin in margins]
        self.ranks = _ranks(np.concatenate([np.empty(0), *(p for _, p in tables)]))
        start = np.cumsum([0] + [len(p) for _, p in tables])[:-1]
        least = np.array([low for low, _ in tables], dtype=int)
        self.offset: np.ndarray = (start - least)[row]  # a count added to it is a place in `ranks`

    def observed(self, failed: np.ndarray) -> np.ndarray:
        self.require_margins(failed[None])
        counts = np.rint(self.firing.T @ failed.astype(np.float32)).astype(int)
        result: np.ndarray = self.ranks[self.offset + counts]
        return result

    def least_equal(self, observed: np.ndarray) -> np.ndarray:
        return observed

    def require_margins(self, sets: np.ndarray) -> None:
        sizes = np.count_nonzero(sets, axis=1)
        if (sizes != self.failures).any():
            wrong = int(sizes[sizes != self.failures][0])
            raise ValueError(
                f"a failure set of {wrong}: expected {self.failures}, as in the outcome"
            )

    def of_sets(self, columns: np.ndarray, members: np.ndarray) -> Iterator[np.ndarray]:
        sparse = is_sparse(self.support[columns], self.n)
        by_stored = sparse_sums(self.firing[:, columns[sparse]], members)
        by_all = self.firing[:, columns[~sparse]].toarray().T @ members
        counts = in_turn(sparse, by_stored, by_all)
        for of_feature, offset in zip(counts, self.offset[columns].tolist(), strict=True):
            place = of_feature.astype(np.intp)
            place += offset
            yield self.ranks.take(place)


def _ranks(p_values: np.ndarray) -> np.ndarray:
    """The rank of each p among the different ones, 0 for the largest, int32."""
    distinct, place = np.unique(p_values, return_inverse=True)
    steps = np.cumsum(np.diff(distinct, prepend=0.0) > SAME_P * distinct)
    ranks: np.ndarray = (steps[-1:] - steps).astype(np.int32)[place.ravel()]
    return ranks
