"""What random labels would give: the null distribution of the best of many features.

A specialist is the best of thousands of features, so what it must beat is the best of thousands
under random labels: the maximum over all features (Westfall & Young 1993).
"""

from __future__ import annotations

import numpy as np

BLOCK_CELLS = 16_000_000  # permutations × features, or × rows, held at once: 64 MB as float32
BLOCK_FEATURES = 512  # looked at together before asking which sets the rest can still better


def random_sets(n: int, size: int, permutations: int, rng: np.random.Generator) -> np.ndarray:
    """Random sets of so many of n rows, each equally likely: boolean `[permutations, n]`."""
    members = np.zeros((permutations, n), dtype=bool)
    step = max(1, BLOCK_CELLS // max(1, n))
    for start in range(0, permutations, step):  # the draws are those of one block
        block = members[start : start + step]
        picked = np.argpartition(rng.random(block.shape), size - 1, axis=1)
        np.put_along_axis(block, picked[:, :size], True, axis=1)
    return members


def random_sets_within(
    inside: np.ndarray, strata: np.ndarray, permutations: int, rng: np.random.Generator
) -> np.ndarray:
    """Random sets that hold as many rows of each stratum as the observed one does.

    Args:
        inside: the observed set, boolean `[n]`.
        strata: the stratum of each of the n rows, whole numbers `[n]`.
        permutations: how many sets.
        rng: of the draws.

    Returns:
        boolean, `[permutations, n]`.
    """
    members = np.zeros((permutations, len(inside)), dtype=bool)
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        size = int(inside[rows].sum())
        if size:
            members[:, rows] = random_sets(len(rows), size, permutations, rng)
    return members


def max_null(
    weights: np.ndarray,
    scale: float,
    offset: np.ndarray,
    members: np.ndarray,
    least: float = -np.inf,
) -> np.ndarray:
    """The largest of a statistic over all features, for each random group.

    The statistic of a feature is `scale * (sum of its weights over the group) + offset`; with small
    whole or half numbers as weights and as `offset / scale` the float32 sums are exact, so ties are
    ties.

    A feature can reach at most what its largest weights come to, so features are taken in falling
    order of that bound, and a group is left alone once no further feature can better its maximum:
    the result is that of all features, for a fraction of the sums.

    Args:
        weights: `[n, features]` float32, at least 0.
        scale: factor of the sum, above 0.
        offset: added, `[features]`.
        members: `[permutations, n]` 0/1.
        least: a maximum below it need not be told from any other below it; features that cannot
            reach it are left out.

    Returns:
        `[permutations]` float64; −∞ for a group where every feature was left out.
    """
    shift = np.asarray(np.asarray(offset) / scale, dtype=np.float32)
    bound = _largest_sums(weights, int(members.sum(axis=1).max(initial=0))) + shift
    order = np.argsort(-bound, kind="stable")
    order = order[bound[order] * scale >= least - tolerance(least)]
    weights, shift, bound = weights[:, order], shift[order], bound[order]
    best = np.full(len(members), -np.inf, dtype=np.float32)
    for first in range(0, weights.shape[1], BLOCK_FEATURES):
        block = slice(first, first + BLOCK_FEATURES)
        open_still = np.flatnonzero(best < bound[first])
        if not len(open_still):
            break
        step = max(1, BLOCK_CELLS // len(shift[block]))
        for start in range(0, len(open_still), step):
            rows = open_still[start : start + step]
            sums = members[rows].astype(np.float32, copy=False) @ weights[:, block]
            sums += shift[block]
            best[rows] = np.maximum(best[rows], sums.max(axis=1))
    return best.astype(np.float64) * scale


def _largest_sums(weights: np.ndarray, size: int) -> np.ndarray:
    """The sum of the `size` largest weights of each feature, `[features]`."""
    n = len(weights)
    if size >= n:
        return np.asarray(weights.sum(axis=0))
    return np.asarray(np.partition(weights, n - size - 1, axis=0)[n - size :].sum(axis=0))


def permutation_p(null: np.ndarray, observed: float) -> float:
    """Share of the null that is at least `observed`, the observed one counted in (+1 correction).

    Reference: Phipson & Smyth (2010).
    """
    reached = np.count_nonzero(null >= observed - tolerance(observed))
    return float((1 + reached) / (1 + len(null)))


def tolerance(observed: float) -> float:
    """How far below `observed` a value of the null still counts as equal: float32 sums differ."""
    return 1e-6 * max(1.0, abs(observed)) if np.isfinite(observed) else 0.0
