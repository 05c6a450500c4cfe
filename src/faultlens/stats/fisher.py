"""Fisher's exact test for many 2 × 2 tables that share their outcome margin."""

from __future__ import annotations

import numpy as np

RELATIVE_TIE = 1e-7  # tables whose probability is within this of the observed one count as equal


def fisher_exact(fail_active: np.ndarray, active: np.ndarray, failures: int, n: int) -> np.ndarray:
    """Two-sided p-values: the probability, margins fixed, of tables no likelier than the observed.

    Args:
        fail_active: failures among the prompts on which each feature fires, `[features]`.
        active: prompts on which each feature fires, `[features]`.
        failures: failures in all.
        n: prompts in all.

    Returns:
        p-values, `[features]`, in (0, 1]; one below the least normal float64 is returned as that.

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
        low, probability = _hypergeometric(int(margin), failures, n)
        order = np.argsort(probability)
        total = np.cumsum(probability[order])
        last = np.searchsorted(probability[order], probability * (1 + RELATIVE_TIE), side="right")
        table[i, low : low + len(total)] = np.clip(total[last - 1], np.finfo(float).tiny, 1.0)
    return table


def _hypergeometric(margin: int, failures: int, n: int) -> tuple[int, np.ndarray]:
    """The least attainable count, and the probability of it and of every larger one.

    `P(k + 1) / P(k) = (margin − k)(failures − k) / ((k + 1)(n − margin − failures + k + 1))`,
    multiplied outwards from the mode, so that no error grows and only the far tails underflow.
    SciPy's `hypergeom.pmf` gives the same, at about thirty times the cost.
    """
    low = max(0, failures + margin - n)
    k = np.arange(low, min(failures, margin), dtype=float)
    ratio = (margin - k) * (failures - k) / ((k + 1) * (n - margin - failures + k + 1))
    mode = int(np.count_nonzero(ratio > 1))  # the ratios fall
    below, above = np.cumprod(1 / ratio[:mode][::-1])[::-1], np.cumprod(ratio[mode:])
    weight = np.concatenate([below, [1.0], above])
    return low, weight / weight.sum()


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
