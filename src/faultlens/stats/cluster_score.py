"""A score test of indicators against the outcome where rows belong together."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import t as student


def cluster_score_p(
    members: np.ndarray, failed: np.ndarray, blocks: np.ndarray, strata: np.ndarray | None = None
) -> np.ndarray:
    """Whether failure is more or less frequent at some rows, rows of a block counting as one.

    `T = Σ_i u_i` with `u_i = (m_i − m̄_s)(y_i − ȳ_s)`, m the indicator, y the outcome, means over
    the row's stratum; its variance is `Σ_b (Σ_{i in b} u_i)²` over the blocks b, which allows rows
    of one block any dependence. `T / √V` is compared with Student's t, with as many degrees of
    freedom as there are blocks with a member, or blocks with another row if they are fewer, less
    one: an indicator of few blocks is told by few observations, however many rows it has.

    Args:
        members: the indicators, boolean `[indicators, n]`.
        failed: the outcome, boolean `[n]`.
        blocks: whole numbers from 0, `[n]`.
        strata: whole numbers from 0, `[n]`; None: one stratum.

    Returns:
        two-sided p, `[indicators]`; 1 where T or V is 0 or one block holds all members.
        Reference: Liang & Zeger (1986).

    >>> failed, blocks = np.arange(8) < 4, np.arange(8) // 2
    >>> cluster_score_p(np.array([[1, 1, 0, 1, 0, 1, 0, 0]]) > 0, failed, blocks).round(3).tolist()
    [0.293]
    """
    n = len(failed)
    codes = np.zeros(n, dtype=int) if strata is None else np.unique(strata, return_inverse=True)[1]
    of_block = np.unique(blocks, return_inverse=True)[1]
    within = csr_matrix((np.ones(n), (codes, np.arange(n))))
    by_block = csr_matrix((np.ones(n), (of_block, np.arange(n))))
    sizes = np.asarray(within.sum(axis=1)).ravel()
    indicator = members.T.astype(float)  # [n, indicators]
    residual = failed - ((within @ failed.astype(float)) / sizes)[codes]
    centred = indicator - ((within @ indicator) / sizes[:, None])[codes]
    scores = by_block @ (centred * residual[:, None])
    total, variance = scores.sum(axis=0), (scores**2).sum(axis=0)
    inside = (by_block @ indicator > 0).sum(axis=0)
    outside = (by_block @ (1 - indicator) > 0).sum(axis=0)
    df = np.minimum(inside, outside) - 1
    told = (variance > 1e-12) & (df > 0)
    z = np.abs(total) / np.sqrt(np.where(told, variance, 1.0))
    p: np.ndarray = np.where(told, 2 * student.sf(z, np.maximum(df, 1)), 1.0)
    return p
