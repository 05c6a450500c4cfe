"""Mean and variance of each feature in one group, from activations or from a published table."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix

ROUNDING = 1e-7  # of the mean: a spread or a difference below it is what float32 leaves behind


@dataclass(frozen=True, eq=False)
class Moments:
    """What the tests and effects of two samples need to know of one of them."""

    n: int
    """Rows of the group."""
    mean: np.ndarray
    """`[features]` float64."""
    variance: np.ndarray
    """`[features]` float64, n − 1 in the denominator; 0 where the feature is constant."""


def moments(values: csr_matrix, rows: np.ndarray) -> Moments:
    """Mean and variance of every column over some rows; zeros that are not stored count.

    `variance = Σ (x − mean)² / (n − 1)`. Values are centred before they are squared, since
    `Σ x² − n·mean²` cancels where the mean is far above the spread. A standard deviation within
    1e-7 of the mean is the rounding of a constant, and counts as 0.

    Args:
        values: CSR `[n, features]`, left as it is.
        rows: boolean `[n]`, the group's rows.

    Raises:
        ValueError: fewer than two rows, which have no variance.

    >>> values = csr_matrix([[0.0, 7.0], [4.0, 7.0], [5.0, 7.0], [9.0, 0.0]])
    >>> group = moments(values, np.array([True, True, True, False]))
    >>> group.n, group.mean.tolist(), group.variance.tolist()
    (3, [3.0, 7.0], [7.0, 0.0])
    """
    n = int(rows.sum())
    if n < 2:
        raise ValueError(f"a group of {n}: a variance needs at least 2 rows")
    group = csr_matrix(values[np.flatnonzero(rows)], dtype=np.float64)
    group.sum_duplicates()
    mean = np.asarray(group.sum(axis=0)).ravel() / n
    silent = n - group.getnnz(axis=0)
    group.data -= mean[group.indices]
    squares = np.asarray(group.power(2).sum(axis=0)).ravel() + silent * mean**2
    variance = squares / (n - 1)
    constant = np.sqrt(variance) <= ROUNDING * np.abs(mean)
    return Moments(n, mean, np.where(constant, 0.0, variance))


def difference_of_means(first: Moments, rest: Moments) -> np.ndarray:
    """`first.mean − rest.mean`, `[features]`; 0 where it is within 1e-7 of the larger mean."""
    difference = first.mean - rest.mean
    scale = np.maximum(np.abs(first.mean), np.abs(rest.mean))
    return np.where(np.abs(difference) <= ROUNDING * scale, 0.0, difference)


def moments_from_summary(
    mean_first: np.ndarray,
    mean_rest: np.ndarray,
    cohens_d: np.ndarray,
    t: np.ndarray,
    n_first: int,
    n_rest: int,
    *,
    rounding: float = 1e-6,
) -> tuple[Moments, Moments]:
    """The two groups of a published table that gives means, d and Welch's t, but no variances.

    With δ the difference of means, d and t are two equations in the two variances:
    `(n₁ − 1) v₁ + (n₂ − 1) v₂ = (n₁ + n₂ − 2) (δ/d)²` and `v₁/n₁ + v₂/n₂ = (δ/t)²`.

    Where the means are equal (δ within 1e-7 of the larger one) the table says nothing of the
    variances, and d and t are not read: both variances are then given as 0, so that every test of
    these moments says t = 0, p = 1, as it would have with the true ones. Where d and t are infinite
    the groups are constant and differ: both variances are 0.

    Args:
        mean_first: `[features]`.
        mean_rest: `[features]`.
        cohens_d: first minus rest, over the pooled standard deviation with n − 1, `[features]`.
        t: Welch's statistic, first minus rest, `[features]`.
        n_first: rows of the first group.
        n_rest: rows of the rest; must differ from `n_first`.
        rounding: relative error of d and t as given; the default suits float32. A variance that
            comes out below 0 by no more than this error explains is 0.

    Raises:
        ValueError: groups of equal size (the two equations are one), a group below 2, or d and t
            that no two variances can give, with the first such feature.

    >>> first, rest = moments_from_summary(  # of 0, 4, 5 and of 0, 0, 1, 0, 3
    ...     np.array([3.0]), np.array([0.8]),
    ...     np.array([1.1815895]), np.array([1.3455385]), 3, 5)
    >>> first.variance.round(4).tolist(), rest.variance.round(4).tolist()
    ([7.0], [1.7])
    """
    if min(n_first, n_rest) < 2:
        raise ValueError(f"groups of {n_first} and {n_rest}: a variance needs at least 2 rows each")
    if n_first == n_rest:
        raise ValueError(
            f"two groups of {n_first}: d and t of groups of equal size give only the sum of the "
            "variances"
        )
    d, t = np.asarray(cohens_d, dtype=np.float64), np.asarray(t, dtype=np.float64)
    first = Moments(n_first, np.asarray(mean_first, dtype=np.float64), np.zeros(len(d)))
    rest = Moments(n_rest, np.asarray(mean_rest, dtype=np.float64), np.zeros(len(d)))
    difference = difference_of_means(first, rest)
    sign, infinite = np.sign(difference), np.copysign(np.inf, difference)
    equal = sign == 0
    parted = ~equal & (d == infinite) & (t == infinite)
    solved = ~equal & np.isfinite(d) & np.isfinite(t) & (np.sign(d) == sign) & (np.sign(t) == sign)

    spread, error = (
        np.divide(difference, ratio, out=np.zeros(len(d)), where=solved) for ratio in (d, t)
    )
    squares, squared_error = (n_first + n_rest - 2) * spread**2, error**2
    determinant = (n_first - 1) / n_rest - (n_rest - 1) / n_first
    possible, variances = equal | parted | solved, []
    for n_other, sense in ((n_rest, 1), (n_first, -1)):  # Cramer's rule
        plus, minus = squares / n_other, (n_other - 1) * squared_error
        variance = sense * (plus - minus) / determinant
        possible &= variance >= -2 * rounding * (plus + minus) / abs(determinant)
        variances.append(np.maximum(variance, 0.0))
    if not possible.all():
        row = int(np.argmin(possible))
        raise ValueError(
            f"row {row}: means {first.mean[row]:g} and {rest.mean[row]:g}, d = {d[row]:g}, "
            f"t = {t[row]:g} belong to no two groups of {n_first} and {n_rest}"
        )
    return replace(first, variance=variances[0]), replace(rest, variance=variances[1])
