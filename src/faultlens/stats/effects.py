"""Effect sizes and other descriptions of one sample or two. None of them is a test."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import rankdata


def midranks(values: np.ndarray) -> np.ndarray:
    """Ranks within each column of `values [n, features]`, ties sharing their mean rank; float32.

    Half-integers, hence exact in float32 up to 8 million rows.
    """
    return rankdata(values, axis=0).astype(np.float32)


def auroc(ranks: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each column: P(inside > outside) + P(tie) / 2.

    Args:
        ranks: midranks, `[n, features]`.
        inside: boolean, `[n]`, both values present.

    >>> ranks = midranks(np.array([[0.0], [1.0], [1.0], [3.0]]))
    >>> auroc(ranks, np.array([False, False, True, True])).tolist()
    [0.875]
    """
    n_in = int(inside.sum())
    n_out = len(inside) - n_in
    if not n_in or not n_out:
        raise ValueError("AUROC needs members inside and outside")
    rank_sum = ranks[inside].sum(axis=0, dtype=np.float64)
    result: np.ndarray = (rank_sum - n_in * (n_in + 1) / 2) / (n_in * n_out)
    return result


def cohens_d(values: csr_matrix, first: np.ndarray) -> np.ndarray:
    """Difference of means, first minus rest, in pooled standard deviations (n − 1 each).

    Args:
        values: CSR `[n, features]`.
        first: boolean, `[n]`, at least two of each.

    Returns:
        `[features]`; 0 where both groups are constant and equal, ± infinity where they are constant
        and differ. Reference: Cohen (1988), with the pooled standard deviation.
    """
    groups = [
        csr_matrix(values[np.flatnonzero(mask)], dtype=np.float64) for mask in (first, ~first)
    ]
    sizes = [group.shape[0] for group in groups]
    means, squares = [], []
    for group, size in zip(groups, sizes, strict=True):
        mean = np.asarray(group.sum(axis=0)).ravel() / size
        silent = size - group.getnnz(axis=0)
        group.data -= mean[group.indices]  # centred before squaring: the moments would cancel
        means.append(mean)
        squares.append(np.asarray(group.power(2).sum(axis=0)).ravel() + silent * mean**2)
    spread = np.sqrt((squares[0] + squares[1]) / (sum(sizes) - 2))
    difference = means[0] - means[1]
    scale = np.maximum(np.abs(means[0]), np.abs(means[1]))
    constant = spread <= 1e-7 * scale  # rounding of a constant column
    with np.errstate(divide="ignore", invalid="ignore"):
        d = np.where(constant, np.sign(difference) * np.inf, difference / spread)
    return np.where(np.abs(difference) <= 1e-7 * scale, 0.0, d)


def gini(values: np.ndarray) -> float:
    """Gini coefficient of `values [k]`: 0 where all are equal, up to (k − 1) / k.

    `(2 Σ i·v_i − (k + 1) Σ v_i) / (k Σ v_i)` over the values in ascending order; 0 if all are 0.

    >>> round(gini(np.array([1.0, 2.0, 5.0])), 4)
    0.3333
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    k, total = len(ordered), ordered.sum()
    if total == 0:
        return 0.0
    return float((2 * np.arange(1, k + 1) @ ordered - (k + 1) * total) / (k * total))
