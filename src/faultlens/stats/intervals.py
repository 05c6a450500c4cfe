"""Intervals: exact ones for a proportion, bootstrap ones for a mean."""

from __future__ import annotations

import numpy as np
from scipy.stats import beta


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a binomial proportion; covers at least its level.

    Reference: Clopper & Pearson (1934).

    >>> low, high = clopper_pearson(42, 45)
    >>> round(low, 3), round(high, 3)
    (0.817, 0.986)
    """
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} of {n}: expected 0 <= successes <= n and n > 0")
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, n - successes + 1))
    high = 1.0 if successes == n else float(beta.ppf(1 - tail, successes + 1, n - successes))
    return low, high


def bootstrap_mean(
    values: np.ndarray, rng: np.random.Generator, level: float = 0.95, resamples: int = 10_000
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of `values [n]`, resampling with replacement.

    Reference: Efron & Tibshirani (1993), chapter 13.
    """
    draws = rng.integers(0, len(values), size=(resamples, len(values)))
    means = values[draws].mean(axis=1)
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
