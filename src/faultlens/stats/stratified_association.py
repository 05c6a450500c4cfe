"""Do levels of a factor go with an outcome within strata, each stratum in its own way?"""

from __future__ import annotations

import numpy as np

from faultlens.stats.fisher import RELATIVE_TIE
from faultlens.stats.strata import informative


def stratified_chi_square(
    levels: np.ndarray, failed: np.ndarray, codes: np.ndarray, sets: np.ndarray
) -> np.ndarray:
    """Pearson's chi-square of levels and outcome, summed over strata: of each of some outcomes.

    `Σ_s Σ_l (O_sl − n_sl p_s)² / (n_sl p_s (1 − p_s))`, l over the levels in stratum s, O_sl the
    failures at a level, n_sl its prompts, p_s the stratum's share of failures; strata with one
    outcome add nothing. A level may do in one stratum the opposite of what it does in another.

    Args:
        levels: of every prompt, whole numbers from 0, `[n]`.
        failed: the outcome, boolean `[n]`, which gives every stratum's share of failures.
        codes: the stratum of each prompt, whole numbers from 0, `[n]`.
        sets: outcomes with as many failures in each stratum, boolean `[sets, n]`.

    Returns:
        `[sets]`, at least 0. Reference: Pearson (1900).

    >>> levels, codes = np.array([0, 0, 1, 1, 0, 0, 1, 1]), np.array([0, 0, 0, 0, 1, 1, 1, 1])
    >>> failed = np.array([1, 1, 0, 0, 0, 0, 1, 0]) > 0
    >>> stratified_chi_square(levels, failed, codes, failed[None]).round(4).tolist()
    [5.3333]
    """
    kept = informative(failed, codes)[codes]
    statistic = np.zeros(len(sets))
    if not kept.any():
        return statistic
    cells, cell = np.unique(codes[kept] * (levels.max() + 1) + levels[kept], return_inverse=True)
    size = np.bincount(cell)
    share = np.bincount(codes, weights=failed) / np.maximum(np.bincount(codes), 1)
    p = share[cells // (levels.max() + 1)]
    for row, chosen in enumerate(sets[:, kept]):
        count = np.bincount(cell, weights=chosen, minlength=len(cells))
        statistic[row] = ((count - size * p) ** 2 / (size * p * (1 - p))).sum()
    return statistic


def association_within(
    levels: np.ndarray, failed: np.ndarray, codes: np.ndarray, sets: np.ndarray
) -> float:
    """p of `stratified_chi_square` by random outcomes: (1 + those as large) / (sets + 1)."""
    observed = stratified_chi_square(levels, failed, codes, failed[None])[0]
    drawn = stratified_chi_square(levels, failed, codes, sets)
    as_large = int((drawn >= observed * (1 - RELATIVE_TIE)).sum())
    return (1 + as_large) / (len(sets) + 1)
