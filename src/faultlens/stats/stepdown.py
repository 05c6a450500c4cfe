"""Step-down min-P and max-T: family-wise error controlled by permuting the outcome.

Both use the joint distribution of all features under permutation, and therefore lose less than Holm
where features go together. Reference: Westfall & Young (1993), algorithms 2.8 and 4.1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_matrix

from faultlens.stats.fisher import p_table
from faultlens.stats.label_null import BLOCK_CELLS


def min_p(firing: csr_matrix, groups: np.ndarray, failed: np.ndarray) -> np.ndarray:
    """Adjusted p-values of Fisher's exact test on firing.

    Args:
        firing: 0/1, CSR `[n, features]`.
        groups: random failure sets of the true size, `[permutations, n]` 0/1.
        failed: the outcome, boolean `[n]`.

    Returns:
        `[features]`.
    """
    n, failures = len(failed), int(failed.sum())
    margins, row = np.unique(
        np.asarray(firing.sum(axis=0)).ravel().astype(int), return_inverse=True
    )
    table = p_table(margins, failures, n)

    def p_values(members: np.ndarray) -> np.ndarray:
        sums = firing.T @ members.T.astype(np.float32, copy=False)  # booleans would not add up
        counts = np.rint(np.asarray(sums.T)).astype(int)
        result: np.ndarray = table[row, counts]
        return result

    observed = p_values(failed[None].astype(np.float32))[0]
    return _step_down(-observed, groups, lambda members: -p_values(members))


def max_t(values: csr_matrix, groups: np.ndarray, failed: np.ndarray) -> np.ndarray:
    """Adjusted p-values of the difference in pooled activation, as a permutation z (two-sided).

    z = (sum over failures − its permutation mean) / its permutation standard deviation; a feature
    that is constant over all prompts has z = 0.

    Args:
        values: pooled activations, CSR `[n, features]`.
        groups: random failure sets of the true size, `[permutations, n]` 0/1.
        failed: the outcome, boolean `[n]`.

    Returns:
        `[features]`.
    """
    n, failures = len(failed), int(failed.sum())
    dense = values.toarray().astype(np.float64)
    dense -= dense.mean(axis=0)
    spread = np.sqrt((dense**2).sum(axis=0) * failures * (n - failures) / (n * (n - 1)))
    varies = spread > 1e-9 * np.maximum(abs(values).max(axis=0).toarray().ravel(), 1e-30)
    scaled = np.where(varies, dense / np.where(varies, spread, 1.0), 0.0).astype(np.float32)

    def z(members: np.ndarray) -> np.ndarray:
        result: np.ndarray = np.abs(members @ scaled)
        return result

    return _step_down(z(failed[None].astype(np.float32))[0], groups, z)


def _step_down(
    observed: np.ndarray, groups: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Successive maxima over the features that are no more extreme than each, then monotone."""
    order = np.argsort(-observed, kind="stable")
    back = np.empty(len(order), dtype=int)
    back[order] = np.arange(len(order))
    exceed = np.zeros(len(order))
    tolerance = 1e-5 * np.maximum(np.abs(observed[order]), 1e-12)
    step = max(1, BLOCK_CELLS // max(1, len(order)))
    for start in range(0, len(groups), step):
        drawn = statistic(groups[start : start + step])[:, order]
        largest = np.maximum.accumulate(drawn[:, ::-1], axis=1)[:, ::-1]
        exceed += (largest >= observed[order] - tolerance).sum(axis=0)
    adjusted = np.maximum.accumulate((1 + exceed) / (1 + len(groups)))
    return adjusted[back]
