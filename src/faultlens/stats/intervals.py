"""Intervals: of a cross-validated mean, and by bootstrap."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.stats import t as student


def bootstrap_mean(
    values: np.ndarray,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 10_000,
    blocks: np.ndarray | None = None,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of `values [n]`, resampling with replacement.

    Args:
        blocks: whole numbers, `[n]`: values of one block belong together, and as many whole blocks
            as there are are drawn. None: each value stands by itself.

    References: Efron & Tibshirani (1993), chapter 13; of blocks, Davison & Hinkley (1997), 3.8.

    >>> values = np.repeat([1.0, 3.0, 8.0], 10)
    >>> bootstrap_mean(values, np.random.default_rng(0), blocks=np.arange(30) // 10)
    (1.0, 8.0)
    >>> low, high = bootstrap_mean(values, np.random.default_rng(0))
    >>> 2.8 < low < 3.2 and 4.8 < high < 5.2
    True
    """
    if blocks is None:
        draws = rng.integers(0, len(values), size=(resamples, len(values)))
        means = values[draws].mean(axis=1)
    else:
        _, of = np.unique(blocks, return_inverse=True)
        sizes, sums = np.bincount(of), np.bincount(of, weights=values)
        draws = rng.integers(0, len(sizes), size=(resamples, len(sizes)))
        means = sums[draws].sum(axis=1) / sizes[draws].sum(axis=1)
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def nadeau_bengio(values: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """Mean of repeated cross-validation, with an interval that allows for the folds' overlap.

    `mean ± t(K − 1) · sqrt((1/(RK) + 1/(K − 1)) · s²)`, s² the variance (n − 1) of the RK fold
    values. Two training sets of one repeat share most of their prompts, so the RK values are not
    independent: 1/(K − 1), the size of a test fold over that of its training set, stands for their
    correlation, and K − 1 degrees of freedom are taken whatever R is. More repeats do not narrow
    the interval towards nothing.

    Args:
        values: one a fold, or the difference of two predictors on the same folds,
            `[repeats, folds]`.
        level: of the two-sided interval.

    Returns:
        mean, low, high.

    Raises:
        ValueError: fewer than two folds, or a value that is not finite.

    References: Nadeau & Bengio (2003); for repeats, Bouckaert & Frank (2004).

    >>> folds = np.array([[0.9, 0.7, 0.8], [0.6, 0.9, 0.9]])
    >>> [round(part, 3) for part in nadeau_bengio(folds)]
    [0.8, 0.356, 1.244]
    """
    folds = np.asarray(values, dtype=np.float64)
    if folds.ndim != 2 or folds.shape[1] < 2 or not folds.size:
        raise ValueError(f"shape {folds.shape}: expected [repeats, folds] with at least 2 folds")
    if not np.isfinite(folds).all():
        raise ValueError("a fold's value is not finite: leave out what could not be scored")
    k = folds.shape[1]
    variance = (1 / folds.size + 1 / (k - 1)) * float(folds.var(ddof=1))
    mean, half = float(folds.mean()), float(student.isf((1 - level) / 2, k - 1)) * variance**0.5
    return mean, mean - half, mean + half


def paired_bootstrap(
    statistic: Callable[[np.ndarray], float | None],
    n: int,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 10_000,
) -> tuple[float, float]:
    """Percentile bootstrap interval of any statistic of n rows, resampling whole rows.

    `statistic` is given row indices `[n]`, drawn with replacement, and takes from its own data what
    lies in those rows. Whatever belongs to one prompt (both members of a pair, outcome and score)
    is so drawn together, and the interval of a difference keeps the pairing.

    A resample may leave the statistic undefined (an area under the curve without a failure). It
    says so by None or NaN, and the resample is drawn again: the interval is that of the statistic
    given that it can be had. If more than half of all resamples are undefined, it does not describe
    the statistic any more, and is refused.

    Returns:
        low and high.

    Raises:
        ValueError: no rows, or more undefined resamples than were asked for.

    Reference: Efron & Tibshirani (1993), chapter 13.

    >>> before, after = np.array([1.0, 4.0, 9.0, 16.0]), np.array([2.0, 6.0, 10.0, 20.0])
    >>> gain = lambda rows: float((after[rows] - before[rows]).mean())
    >>> low, high = paired_bootstrap(gain, 4, np.random.default_rng(0), resamples=2000)
    >>> low, high
    (1.0, 3.25)
    """
    if n < 1:
        raise ValueError(f"{n} rows: a bootstrap needs at least 1")
    drawn: list[float] = []
    undefined = 0
    while len(drawn) < resamples:
        value = statistic(rng.integers(0, n, size=n))
        if value is not None and not math.isnan(value):
            drawn.append(value)
            continue
        undefined += 1
        if undefined > resamples:
            raise ValueError(
                f"{undefined} of {undefined + len(drawn)} resamples leave the statistic undefined: "
                "too few rows bear on it"
            )
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)
