"""Effect sizes and other descriptions of one sample or two. None of them is a test."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import rankdata

from faultlens.stats.moments import Moments, difference_of_means, moments

DIGITS = 10  # of the largest score, to which scores are compared


def midranks(values: np.ndarray) -> np.ndarray:
    """Ranks within each column of `values [n, features]`, ties sharing their mean rank; float32.

    Half-integers, hence exact in float32 up to 8 million rows.
    """
    return rankdata(values, axis=0).astype(np.float32)


def ties_kept(scores: np.ndarray) -> np.ndarray:
    """Scores without the last digits, by which equal rows may differ: `[rows, fits]`.

    >>> ties_kept(np.array([[0.3], [0.1 + 0.2], [0.4]])).ravel().tolist()
    [0.75, 0.75, 1.0]
    """
    largest = np.abs(scores).max(axis=0)
    rounded: np.ndarray = (scores / np.where(largest > 0, largest, 1.0)).round(DIGITS)
    return rounded


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


def auroc_of_scores(scores: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """`auroc` of scores that are not ranked yet, `[n, fits]`: quicker where rows are few.

    >>> scores = np.array([[0.0], [1.0], [1.0], [3.0]])
    >>> auroc_of_scores(scores, np.array([False, False, True, True])).tolist()
    [0.875]
    """
    above, below = scores[inside], scores[~inside]
    if not len(above) or not len(below):
        raise ValueError("AUROC needs members inside and outside")
    won = np.zeros(scores.shape[1], dtype=np.int64)
    for row in above:  # twice the pairs that are won, ties counting one
        won += (row > below).sum(axis=0)
        won += (row >= below).sum(axis=0)
    result: np.ndarray = won / (2 * len(above) * len(below))
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
    return cohens_d_of_moments(moments(values, first), moments(values, ~first))


def cohens_d_of_moments(first: Moments, rest: Moments) -> np.ndarray:
    """`cohens_d` of two groups of which only the moments are at hand; `[features]`.

    `(m₁ − m₂) / sqrt(((n₁ − 1) v₁ + (n₂ − 1) v₂) / (n₁ + n₂ − 2))`.

    >>> high = Moments(3, np.array([3.0]), np.array([7.0]))
    >>> low = Moments(5, np.array([0.8]), np.array([1.7]))
    >>> cohens_d_of_moments(high, low).round(4).tolist()
    [1.1816]
    """
    difference = difference_of_means(first, rest)
    squares = (first.n - 1) * first.variance + (rest.n - 1) * rest.variance
    spread = np.sqrt(squares / (first.n + rest.n - 2))
    d = np.divide(difference, spread, out=np.copysign(np.inf, difference), where=spread > 0)
    return np.where(difference == 0, 0.0, d)


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
