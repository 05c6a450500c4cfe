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

    Raises:
        ValueError: a count that its margins do not allow.

    Reference: Fisher (1922); the two-sided rule is that of R's `fisher.test` and SciPy.

    >>> fisher_exact(np.array([3]), np.array([4]), failures=4, n=8).round(4).tolist()
    [0.4857]
    """
    margins, row = np.unique(active, return_inverse=True)
    tables = [attainable_p(int(margin), failures, n) for margin in margins]
    least = np.array([low for low, _ in tables], dtype=int)
    widths = np.array([len(p) for _, p in tables], dtype=int)
    place = np.asarray(fail_active).astype(int) - least[row]
    if ((place < 0) | (place >= widths[row])).any():
        raise ValueError("a feature fires on more or fewer failures than its margins allow")
    flat = np.concatenate([np.empty(0), *(p for _, p in tables)])
    p_values: np.ndarray = flat[(np.cumsum(widths) - widths)[row] + place]
    return p_values


def attainable_p(active: int, failures: int, n: int) -> tuple[int, np.ndarray]:
    """Fisher's p for each number of failures on which a feature that fires `active` times can fire.

    Returns:
        The least such number, and two-sided p for it and each larger one.

    >>> low, p = attainable_p(active=7, failures=4, n=10)
    >>> low, p.round(4).tolist()
    (1, [0.0333, 0.5, 1.0, 0.2])
    """
    low, probability = _hypergeometric(active, failures, n)
    return low, two_sided(probability)


def two_sided(probability: np.ndarray) -> np.ndarray:
    """Of each value of a discrete statistic the probability of all that are no likelier.

    Probabilities that differ by a relative 1e-7 count as equal. A p below the least normal float64
    is returned as that.
    """
    ordered = np.sort(probability)
    total = np.cumsum(ordered)
    last = np.searchsorted(ordered, probability * (1 + RELATIVE_TIE), side="right")
    p: np.ndarray = np.clip(total[last - 1], np.finfo(float).tiny, 1.0)
    return p


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
    least = np.array([attainable_p(int(margin), failures, n)[1].min() for margin in margins])
    found: np.ndarray = least[row]
    return found


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
