"""The Cochran–Mantel–Haenszel test and the common odds ratio of a stratified 2 × 2 table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, norm


@dataclass(frozen=True)
class MantelHaenszel:
    """How failure goes with an indicator within strata. What is not defined is None."""

    odds_ratio: float | None
    """Common odds ratio of failure, active against silent; None where it is infinite or 0 / 0."""
    low: float | None
    high: float | None
    """Interval of the odds ratio; None where the odds ratio is 0, infinite or 0 / 0."""
    statistic: float | None
    """Chi-square on one degree of freedom; None where no stratum is informative."""
    p: float | None


def mantel_haenszel(
    active: np.ndarray,
    failed: np.ndarray,
    codes: np.ndarray,
    level: float = 0.95,
    correction: bool = True,
    blocks: np.ndarray | None = None,
) -> MantelHaenszel:
    """Test an indicator against the outcome within strata, and estimate their common odds ratio.

    Stratum s holds a failing and active, b successful and active, c failing and silent, d
    successful and silent prompts of n. Statistic
    `max(|Σ a − Σ E[a]| − 1/2, 0)² / Σ (a + b)(c + d)(a + c)(b + d) / (n² (n − 1))` with
    `E[a] = (a + b)(a + c) / n`; without `correction` the 1/2 is left out. Odds ratio `Σ R / Σ S`
    with `R = a d / n` and `S = b c / n`; the variance of its logarithm is
    `Σ P R / (2 (Σ R)²) + Σ (P S + Q R) / (2 Σ R Σ S) + Σ Q S / (2 (Σ S)²)` with `P = (a + d) / n`
    and `Q = (b + c) / n`.

    Args:
        active: the indicator, boolean `[n]`.
        failed: the outcome, boolean `[n]`.
        codes: the stratum of each prompt, whole numbers from 0, `[n]`.
        level: of the interval.
        correction: for continuity, as in R's `mantelhaen.test`.
        blocks: whole numbers, `[n]`, where rows belong together: the variances of the statistic and
            of the logarithm are multiplied by the larger of 1 and what the blocks add to the
            variance of `Σ a` (design effect: `Σ_b (Σ_{i in b} u_i)² / Σ u_i²`, u the row's part in
            it); None: each row is its own.

    References: Mantel & Haenszel (1959); Robins, Breslow & Greenland (1986).

    >>> codes = np.repeat([0, 1], [8, 6])
    >>> active = np.array([1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0]) > 0
    >>> failed = np.array([1, 1, 1, 0, 1, 0, 0, 0, 1, 1, 0, 1, 0, 0]) > 0
    >>> found = mantel_haenszel(active, failed, codes)
    >>> round(found.odds_ratio, 3), round(found.low, 3), round(found.high, 3)
    (6.143, 0.61, 61.861)
    >>> round(found.statistic, 4), round(found.p, 4)
    (0.979, 0.3224)
    """
    design = 1.0 if blocks is None else _design_effect(active, failed, codes, blocks)
    a, b, c, d = (
        np.bincount(codes, weights=cell)
        for cell in (active & failed, active & ~failed, ~active & failed, ~active & ~failed)
    )
    n = a + b + c + d
    kept = n > 1  # a stratum of one prompt compares nothing
    a, b, c, d, n = a[kept], b[kept], c[kept], d[kept], n[kept]
    ratio, low, high = _common_odds(a, b, c, d, level, design)
    variance = ((a + b) * (c + d) * (a + c) * (b + d) / (n**2 * (n - 1))).sum() * design
    if variance == 0:
        return MantelHaenszel(ratio, low, high, None, None)
    gap = abs((a - (a + b) * (a + c) / n).sum())
    statistic = float(max(gap - correction / 2, 0.0) ** 2 / variance)
    return MantelHaenszel(ratio, low, high, statistic, float(chi2.sf(statistic, 1)))


def _design_effect(
    active: np.ndarray, failed: np.ndarray, codes: np.ndarray, blocks: np.ndarray
) -> float:
    """How much more `Σ a` varies than independent rows would let it, at least 1."""
    sizes = np.maximum(np.bincount(codes), 1)
    x, y = (
        column - (np.bincount(codes, weights=column) / sizes)[codes]
        for column in (active.astype(float), failed.astype(float))
    )
    parts = x * y
    alone = float(parts @ parts)
    together = np.bincount(np.unique(blocks, return_inverse=True)[1], weights=parts)
    return max(1.0, float(together @ together) / alone) if alone > 0 else 1.0


def _common_odds(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, level: float, design: float
) -> tuple[float | None, float | None, float | None]:
    """The Mantel–Haenszel odds ratio and its Robins–Breslow–Greenland interval."""
    n = a + b + c + d
    R, S, P, Q = a * d / n, b * c / n, (a + d) / n, (b + c) / n
    if S.sum() == 0:
        return None, None, None
    if R.sum() == 0:
        return 0.0, None, None
    variance = (
        (P * R).sum() / (2 * R.sum() ** 2)
        + (P * S + Q * R).sum() / (2 * R.sum() * S.sum())
        + (Q * S).sum() / (2 * S.sum() ** 2)
    )
    ratio = R.sum() / S.sum()
    reach = norm.ppf((1 + level) / 2) * np.sqrt(design * variance)
    return float(ratio), float(ratio * np.exp(-reach)), float(ratio * np.exp(reach))
