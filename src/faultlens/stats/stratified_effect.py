"""How much two groups differ within strata, in standard deviations."""

from __future__ import annotations

import numpy as np
from scipy.stats import t as student

from faultlens.stats.moments import ROUNDING
from faultlens.stats.strata import informative


def stratified_d(
    values: np.ndarray,
    first: np.ndarray,
    codes: np.ndarray,
    level: float = 0.95,
    blocks: np.ndarray | None = None,
) -> tuple[float, float, float] | None:
    """Difference of means within strata, first − rest, in pooled standard deviations.

    `δ = Σ w_s (m₁_s − m₀_s) / Σ w_s` with `w_s = n₁_s n₀_s / n_s`: the least-squares coefficient of
    the group beside one constant a stratum. It is divided by the pooled standard deviation over all
    rows, as Cohen's d is, so that it can be set beside d. The interval is
    `δ ± t(n − S − 1) · max(SE, SE_HC3)` over the rows of the informative strata: the usual standard
    error, or the one that allows the groups to differ in spread (MacKinnon & White 1985),
    whichever is larger. The standard deviation is taken as known. Where rows belong together, the
    standard error that allows any dependence within blocks (Liang & Zeger 1986) counts too, if it
    is larger, and the degrees of freedom are at most the blocks − 1.

    Args:
        values: of one feature, `[n]`.
        first: boolean, `[n]`.
        codes: the stratum of each row, whole numbers from 0, `[n]`.
        level: of the interval.
        blocks: whole numbers, `[n]`; None: each row is its own.

    Returns:
        `(effect, low, high)`; None where no stratum holds both groups and varying values, too few
        rows remain to estimate a spread, or both groups are constant.

    The groups differ by 2 over all, and by 1 within the strata:

    >>> codes = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    >>> first = np.array([1, 0, 0, 0, 1, 1, 1, 0]) > 0
    >>> values = np.array([2.0, 1, 0, 2, 4, 5, 3, 3])
    >>> effect, low, high = stratified_d(values, first, codes)
    >>> round(effect, 3), round(low, 2), round(high, 2)
    (0.775, -0.68, 2.23)
    """
    telling = informative(first, codes, values)
    kept = telling[codes]
    x, y, strata = first[kept].astype(float), values[kept].astype(float), codes[kept]
    df = len(x) - int(telling.sum()) - 1
    if df < 1:
        return None
    spread = _pooled_sd(values.astype(float), first)
    if spread == 0:
        return None
    x_left, y_left = x - _means(x, strata), y - _means(y, strata)
    weight = x_left @ x_left
    delta = (x_left @ y_left) / weight
    residual = y_left - delta * x_left
    leverage = 1 / np.bincount(strata)[strata] + x_left**2 / weight
    usual = np.sqrt(residual @ residual / df / weight)
    robust = np.sqrt(((x_left * residual / np.maximum(1 - leverage, 1e-9)) ** 2).sum()) / weight
    clustered = 0.0
    if blocks is not None:
        of_block = np.unique(blocks[kept], return_inverse=True)[1]
        scores, count = np.bincount(of_block, weights=x_left * residual), int(of_block.max()) + 1
        clustered = np.sqrt(scores @ scores * count / max(count - 1, 1)) / weight
        df = max(min(df, count - 1), 1)
    half = float(student.ppf((1 + level) / 2, df) * max(usual, robust, clustered))
    return float(delta / spread), float((delta - half) / spread), float((delta + half) / spread)


def _means(values: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """The mean of each row's stratum, `[n]`."""
    sizes = np.maximum(np.bincount(strata), 1)
    means: np.ndarray = (np.bincount(strata, weights=values) / sizes)[strata]
    return means


def _pooled_sd(values: np.ndarray, first: np.ndarray) -> float:
    """0 where both groups are constant but for rounding, as in `moments`."""
    squares = sum(float(((v - v.mean()) ** 2).sum()) for v in (values[first], values[~first]))
    spread = float(np.sqrt(squares / (len(values) - 2)))
    return spread if spread > ROUNDING * np.abs(values).max() else 0.0
