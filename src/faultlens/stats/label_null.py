"""What random labels would give: the null distribution of the best feature of a group.

A specialist is the best of thousands of features, so what it must beat is the best of thousands
under random labels: the maximum over all features (Westfall & Young 1993).
"""

from __future__ import annotations

import numpy as np

BLOCK_CELLS = 16_000_000  # permutations × features held at once: 64 MB


def random_groups(
    n: int, group_size: int, permutations: int, rng: np.random.Generator
) -> np.ndarray:
    """Membership of random groups of one size, float32 0/1, `[permutations, n]`."""
    members = np.zeros((permutations, n), dtype=np.float32)
    picked = np.argpartition(rng.random((permutations, n)), group_size - 1, axis=1)
    np.put_along_axis(members, picked[:, :group_size], 1.0, axis=1)
    return members


def max_null(
    weights: np.ndarray, scale: float, offset: np.ndarray, members: np.ndarray
) -> np.ndarray:
    """The largest of a statistic over all features, for each random group.

    The statistic of a feature is `scale * (sum of its weights over the group) + offset`; with small
    whole or half numbers as weights and as `offset / scale` the float32 sums are exact, so ties are
    ties.

    Args:
        weights: `[n, features]` float32.
        scale: factor of the sum, above 0.
        offset: added, `[features]`.
        members: `[permutations, n]` 0/1.

    Returns:
        `[permutations]` float64.
    """
    best = np.empty(len(members))
    step = max(1, BLOCK_CELLS // max(1, weights.shape[1]))
    shift = np.asarray(np.asarray(offset) / scale, dtype=np.float32)
    for start in range(0, len(members), step):
        sums = members[start : start + step] @ weights
        sums += shift
        best[start : start + step] = sums.max(axis=1)
    return best * scale


def permutation_p(null: np.ndarray, observed: float) -> float:
    """Share of the null that is at least `observed`, the observed one counted in (+1 correction).

    Reference: Phipson & Smyth (2010).
    """
    tolerance = 1e-6 * max(1.0, abs(observed))
    return float((1 + np.count_nonzero(null >= observed - tolerance)) / (1 + len(null)))
