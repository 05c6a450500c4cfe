"""Tests of two samples for every feature at once: Welch's t and Mann and Whitney's U.

Both are approximations that fail where one group is small and the feature is sparse: described by
the audit, never decided by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix
from scipy.special import ndtr
from scipy.stats import t as student

from faultlens.stats.moments import Moments, difference_of_means

DegreesOfFreedom = Literal["welch", "study"]


@dataclass(frozen=True, eq=False)
class TTest:
    """A t-test of each feature."""

    t: np.ndarray
    """`[features]`; positive where the first group is higher."""
    df: np.ndarray
    """Degrees of freedom, `[features]`."""
    p: np.ndarray
    """Two-sided, `[features]`, in [0, 1]."""


@dataclass(frozen=True, eq=False)
class MannWhitney:
    """Mann and Whitney's test of each feature."""

    u: np.ndarray
    """Pairs in which the first group is higher, ties counted one half; `[features]`."""
    p: np.ndarray
    """Two-sided, `[features]`, in [0, 1]."""


def welch(first: Moments, rest: Moments, rule: DegreesOfFreedom = "welch") -> TTest:
    """Welch's t-test: the difference of means over `sqrt(v₁/n₁ + v₂/n₂)`, two-sided.

    Args:
        first: the group whose excess counts as positive.
        rest: the other group.
        rule: the degrees of freedom. "welch": Welch and Satterthwaite's
            `(v₁/n₁ + v₂/n₂)² / ((v₁/n₁)²/(n₁ − 1) + (v₂/n₂)²/(n₂ − 1))`. "study":
            `min(n₁, n₂) − 1`, the least the other can be: with it a test is never less cautious.

    Returns:
        finite p throughout. Where both groups are constant, df is `min(n₁, n₂) − 1`, with t = 0 and
        p = 1 if they are equal, t = ± infinity and p = 0 if they differ.

    References: Welch (1947), Satterthwaite (1946).

    >>> low = Moments(5, np.array([0.8]), np.array([1.7]))
    >>> high = Moments(3, np.array([3.0]), np.array([7.0]))
    >>> test = welch(high, low)
    >>> test.t.round(3).tolist(), test.df.round(3).tolist(), test.p.round(3).tolist()
    ([1.346], [2.598], [0.284])
    >>> test = welch(high, low, "study")
    >>> test.df.tolist(), test.p.round(3).tolist()
    ([2.0], [0.311])
    """
    difference = difference_of_means(first, rest)
    error = standard_error(first, rest)
    constant = error == 0
    t = np.divide(difference, error, out=np.copysign(np.inf, difference), where=~constant)
    t[difference == 0] = 0.0
    if rule == "welch":
        df = satterthwaite_df(first, rest)
    else:
        df = np.full(len(difference), min(first.n, rest.n) - 1.0)
    return TTest(t, df, np.minimum(2 * student.sf(np.abs(t), df), 1.0))


def standard_error(first: Moments, rest: Moments) -> np.ndarray:
    """Of the difference of means, variances not pooled: `sqrt(v₁/n₁ + v₂/n₂)`, `[features]`."""
    error: np.ndarray = np.sqrt(first.variance / first.n + rest.variance / rest.n)
    return error


def satterthwaite_df(first: Moments, rest: Moments) -> np.ndarray:
    """Welch and Satterthwaite's degrees of freedom, `[features]`; see `welch`.

    Written with the first group's share w of the squared error, `1 / (w²/(n₁ − 1) +
    (1 − w)²/(n₂ − 1))`, so that tiny variances do not underflow.
    """
    part, other = first.variance / first.n, rest.variance / rest.n
    total = part + other
    share = np.divide(part, total, out=np.zeros_like(total), where=total > 0)
    df = 1 / (share**2 / (first.n - 1) + (1 - share) ** 2 / (rest.n - 1))
    return np.where(total > 0, df, min(first.n, rest.n) - 1.0)


def mann_whitney(values: csr_matrix, first: np.ndarray) -> MannWhitney:
    """Mann and Whitney's U with the normal approximation, corrected for ties and continuity.

    `U = R₁ − n₁(n₁ + 1)/2` with R₁ the sum of the first group's midranks;
    `z = (|U − n₁n₂/2| − ½) / sqrt(n₁n₂/12 · (n + 1 − Σ(t³ − t) / (n(n − 1))))` over the sizes t of
    the blocks of ties. The zeros of a column are one block, and only stored values are sorted, so
    the cost goes with the number of firings. Negative values are ranked below the zeros.

    Args:
        values: CSR `[n, features]`, without NaN; left as it is.
        first: boolean `[n]`, both values present.

    Returns:
        U of the first group, and p; a column that is tied throughout has `U = n₁n₂/2` and p = 1.

    Raises:
        ValueError: an empty group.

    Reference: Mann & Whitney (1947); the correction for ties as in Lehmann (1975), 1.2.

    >>> values = csr_matrix([[0.0], [2.0], [5.0], [5.0], [0.0], [0.0], [2.0], [0.0]])
    >>> test = mann_whitney(values, np.arange(8) < 4)
    >>> test.u.tolist(), test.p.round(4).tolist()
    ([13.0], [0.1606])
    """
    n, n_first = len(first), int(first.sum())
    n_rest = n - n_first
    if not n_first or not n_rest:
        raise ValueError("Mann and Whitney's test needs members in both groups")
    rank_sum, ties = _rank_sums_and_ties(values, first)
    u = rank_sum - n_first * (n_first + 1) / 2
    spread = np.sqrt(n_first * n_rest / 12 * (n + 1 - ties / (n * (n - 1))))
    excess = np.abs(u - n_first * n_rest / 2) - 0.5
    z = np.divide(excess, spread, out=np.zeros_like(u), where=spread > 0)
    return MannWhitney(u, np.minimum(2 * ndtr(-z), 1.0))


def _rank_sums_and_ties(values: csr_matrix, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum of the first group's midranks, and Σ(t³ − t) over the blocks of ties; `[features]`."""
    stored = csc_matrix(values)  # from CSR always a copy
    stored.sum_duplicates()
    stored.eliminate_zeros()
    n, features = stored.shape
    fires = np.diff(stored.indptr)
    column = np.repeat(np.arange(features), fires)
    order = np.lexsort((stored.data, column))
    data, inside = stored.data[order], first[stored.indices[order]]
    zeros = n - fires
    below = np.bincount(column, weights=data < 0, minlength=features)

    # blocks of equal stored values in one column, as positions in the sorted sequence
    opens = np.ones(len(data), dtype=bool)
    opens[1:] = (column[1:] != column[:-1]) | (data[1:] != data[:-1])
    start = np.flatnonzero(opens)
    size = np.diff(start, append=len(data)).astype(np.float64)
    block_column = column[start]
    smaller = (
        start - stored.indptr[block_column] + np.where(data[start] > 0, zeros[block_column], 0)
    )
    midrank = smaller + (size + 1) / 2
    members = np.bincount(np.cumsum(opens) - 1, weights=inside, minlength=len(start))

    zeros_inside = first.sum() - np.bincount(column, weights=inside, minlength=features)
    stored_sum = np.bincount(block_column, weights=midrank * members, minlength=features)
    stored_ties = np.bincount(block_column, weights=size**3 - size, minlength=features)
    return (
        stored_sum + zeros_inside * (below + (zeros + 1) / 2),
        stored_ties + (zeros.astype(np.float64) ** 3 - zeros),
    )
