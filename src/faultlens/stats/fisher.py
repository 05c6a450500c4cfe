"""Fisher's exact test for many 2 × 2 tables that share their outcome margin."""

from __future__ import annotations

import numpy as np
from scipy.stats import hypergeom

RELATIVE_TIE = 1e-7  # tables whose probability is within this of the observed one count as equal


def fisher_exact(fail_active: np.ndarray, active: np.ndarray, failures: int, n: int) -> np.ndarray:
    """Two-sided p-values: the probability, margins fixed, of tables no likelier than the observed.

    Args:
        fail_active: failures among the prompts on which each feature fires, `[features]`.
        active: prompts on which each feature fires, `[features]`.
        failures: failures in all.
        n: prompts in all.

    Returns:
        p-values, `[features]`, in (0, 1].

    Reference: Fisher (1922); the two-sided rule is that of R's `fisher.test` and SciPy.

    >>> fisher_exact(np.array([3]), np.array([4]), failures=4, n=8).round(4).tolist()
    [0.4857]
    """
    margins, row = np.unique(active, return_inverse=True)
    p_values: np.ndarray = p_table(margins, failures, n)[row, fail_active]
    return p_values


def p_table(margins: np.ndarray, failures: int, n: int) -> np.ndarray:
    """Two-sided p for every count: `[margins, failures + 1]`; 1 for those not attainable."""
    table = np.ones((len(margins), failures + 1))
    for i, margin in enumerate(margins):
        low, high = max(0, failures + int(margin) - n), min(failures, int(margin))
        counts = np.arange(low, high + 1)
        probability = hypergeom.pmf(counts, n, int(margin), failures)
        order = np.argsort(probability)
        total = np.cumsum(probability[order])
        last = np.searchsorted(probability[order], probability * (1 + RELATIVE_TIE), side="right")
        table[i, counts] = np.minimum(total[last - 1], 1.0)
    return table


def least_attainable(active: np.ndarray, failures: int, n: int) -> np.ndarray:
    """The least p each margin admits: a feature that fires on 1 of 300 can prove nothing."""
    margins, row = np.unique(active, return_inverse=True)
    least: np.ndarray = p_table(margins, failures, n).min(axis=1)[row]
    return least


def odds_ratio(fail_active: int, active: int, failures: int, n: int) -> float:
    """The sample odds ratio; infinite when no success is active or no failure silent.

    >>> round(odds_ratio(42, 45, 61, 300), 1)
    173.9
    """
    success_active = active - fail_active
    fail_silent = failures - fail_active
    success_silent = n - failures - success_active
    top, bottom = fail_active * success_silent, success_active * fail_silent
    if bottom == 0:
        return float("inf") if top else float("nan")
    return top / bottom
