"""Intervals of the effects that an audit describes, for every feature at once.

All lean on large samples. Where a group is small and a feature sparse they cover less than their
level; the audit flags such features by their support.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm, rankdata
from scipy.stats import t as student

from faultlens.stats.moments import Moments, difference_of_means
from faultlens.stats.two_sample import satterthwaite_df, standard_error


def welch_interval(
    first: Moments, rest: Moments, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Interval of the difference of means: `m₁ − m₂ ± t(df) · sqrt(v₁/n₁ + v₂/n₂)`.

    df is Welch and Satterthwaite's, so the interval leaves out 0 exactly where `welch` rejects at
    `1 − level`. It has no width where both groups are constant. In units of the activation.

    Returns:
        low and high, `[features]` each. Reference: Welch (1947).

    >>> high = Moments(3, np.array([3.0]), np.array([7.0]))
    >>> low = Moments(5, np.array([0.8]), np.array([1.7]))
    >>> [bound.round(3).tolist() for bound in welch_interval(high, low)]
    [[-3.49], [7.89]]
    """
    difference = difference_of_means(first, rest)
    half = student.isf((1 - level) / 2, satterthwaite_df(first, rest)) * standard_error(first, rest)
    return difference - half, difference + half


def cohens_d_interval(
    d: np.ndarray, n_first: int, n_rest: int, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """The standard large-sample interval: `d ± z · sqrt((n₁ + n₂)/(n₁n₂) + d²/(2(n₁ + n₂)))`.

    It supposes normal values of equal variance. Activations are neither: at 19 against 236 prompts,
    where a sparse feature fires more often in one group, it covers .5 to .8 instead of .95. An
    infinite d has itself for both bounds.

    Returns:
        low and high, `[features]` each. Reference: Hedges & Olkin (1985), chapter 5.

    >>> low, high = cohens_d_interval(np.array([2.926]), 61, 239)
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([2.56], [3.292])
    """
    finite = np.isfinite(d)
    size = np.where(finite, d, 0.0)
    variance = (n_first + n_rest) / (n_first * n_rest) + size**2 / (2 * (n_first + n_rest))
    half = norm.isf((1 - level) / 2) * np.sqrt(variance)
    return np.where(finite, size - half, d), np.where(finite, size + half, d)


def auroc_interval(
    values: np.ndarray, first: np.ndarray, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """DeLong's interval of the area under the ROC curve, `area ± z · sqrt(s₁²/n₁ + s₂²/n₂)`.

    s₁² is the variance (n − 1) of the first group's placements, that is of the share of the rest
    that each member exceeds, ties counted one half; s₂² that of the rest's. Placements are had
    from midranks (Sun & Xu 2014). Clipped to [0, 1].

    Where the groups part completely (area 0 or 1) both variances are 0, which is not certainty:
    the other bound is then that of `m = min(n₁, n₂)` pairs without a common member, all ordered
    one way, `(tail)^(1/m)` with tail = (1 − level)/2 (Clopper & Pearson 1934). A column that is
    tied throughout has 0.5 for both bounds.

    Args:
        values: `[n]` or `[n, features]`, dense.
        first: boolean `[n]`; its members being higher makes the area more than 0.5.
        level: of the two-sided interval.

    Returns:
        low and high, `[features]` each (`[1]` for `values [n]`).

    Raises:
        ValueError: a group of fewer than two.

    Reference: DeLong, DeLong & Clarke-Pearson (1988).

    >>> values = np.array([0.0, 2.0, 5.0, 5.0, 0.0, 0.0, 2.0, 0.0])
    >>> low, high = auroc_interval(values, np.arange(8) < 4)
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.496], [1.0])
    """
    columns = np.asarray(values, dtype=np.float64).reshape(len(first), -1)
    groups = columns[first], columns[~first]
    sizes = [len(group) for group in groups]
    if min(sizes) < 2:
        raise ValueError(f"groups of {sizes[0]} and {sizes[1]}: DeLong's variance needs 2 of each")
    ranks = rankdata(columns, axis=0)
    area, squared_error = np.zeros(columns.shape[1]), np.zeros(columns.shape[1])
    for group, rows, other in zip(groups, (first, ~first), reversed(sizes), strict=True):
        placements = (ranks[rows] - rankdata(group, axis=0)) / other
        squared_error += placements.var(axis=0, ddof=1) / len(group)
        if rows is first:
            area = placements.mean(axis=0)
    tail = (1 - level) / 2
    half = norm.isf(tail) * np.sqrt(squared_error)
    low, high = np.maximum(area - half, 0.0), np.minimum(area + half, 1.0)
    least = tail ** (1 / min(sizes))
    parted = squared_error == 0
    return (
        np.where(parted & (area == 1), least, low),
        np.where(parted & (area == 0), 1 - least, high),
    )


def rate_difference(
    fail_active: np.ndarray,
    failures: int,
    success_active: np.ndarray,
    successes: int,
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How much more often a feature fires on failures than on successes, as a share in [−1, 1].

    Newcombe's hybrid score interval: with Wilson's bounds (lᵢ, uᵢ) of the two rates pᵢ,
    `p₁ − p₂ − sqrt((p₁ − l₁)² + (u₂ − p₂)²)` to `p₁ − p₂ + sqrt((u₁ − p₁)² + (p₂ − l₂)²)`.
    Unlike Wald's it has a width where a feature never or always fires.

    Args:
        fail_active: failures on which each feature fires, `[features]`.
        failures: failures in all, above 0.
        success_active: successes on which each feature fires, `[features]`.
        successes: successes in all, above 0.
        level: of the two-sided interval.

    Returns:
        difference, low and high, `[features]` each.

    Raises:
        ValueError: an empty group.

    References: Newcombe (1998), method 10; Wilson (1927).

    >>> found = rate_difference(np.array([42]), 61, np.array([3]), 239)
    >>> [part.round(3).tolist() for part in found]
    [[0.676], [0.549], [0.778]]
    """
    if not failures or not successes:
        raise ValueError("a difference of rates needs failures and successes")
    rates = np.asarray(fail_active) / failures, np.asarray(success_active) / successes
    lows, highs = zip(
        *(_wilson(rate, n, level) for rate, n in zip(rates, (failures, successes), strict=True)),
        strict=True,
    )
    difference = rates[0] - rates[1]
    return (
        difference,
        difference - np.hypot(rates[0] - lows[0], highs[1] - rates[1]),
        difference + np.hypot(highs[0] - rates[0], rates[1] - lows[1]),
    )


def _wilson(rate: np.ndarray, n: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's score interval of a proportion; the limits 0 and 1 are met without rounding."""
    z = float(norm.isf((1 - level) / 2))
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    low = np.where(rate == 0, 0.0, centre - half)
    return low, np.where(rate == 1, 1.0, centre + half)
