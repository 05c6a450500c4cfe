"""Strata: prompts alike in some factors, and what the outcome does within them.

A comparison within strata asks whether something goes with failure beyond the factors that the
strata are made of: chance is then a permutation of the outcome among the prompts of each stratum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import hypergeom

from faultlens.stats.fisher import RELATIVE_TIE
from faultlens.stats.label_null import random_sets


def stratum_codes(factors: Sequence[Sequence[str]], n: int | None = None) -> np.ndarray:
    """Number the combinations of levels that occur, in order of first appearance.

    Args:
        factors: for each factor the level of every prompt; without factors all prompts are one
            stratum.
        n: prompts; needed where there are no factors.

    Returns:
        whole numbers from 0, `[n]`. `ValueError` for factors of different lengths.

    >>> stratum_codes([["a", "b", "a", "b"], ["x", "x", "y", "x"]]).tolist()
    [0, 1, 2, 1]
    >>> stratum_codes([], n=3).tolist()
    [0, 0, 0]
    """
    lengths = {len(levels) for levels in factors} | ({n} if n is not None else set())
    if len(lengths) != 1:
        raise ValueError(f"levels for {sorted(lengths)} prompts: expected one number of prompts")
    if not factors:
        return np.zeros(n or 0, dtype=int)
    codes: dict[tuple[str, ...], int] = {}
    rows = zip(*factors, strict=True)
    return np.array([codes.setdefault(row, len(codes)) for row in rows], dtype=int)


def informative(
    failed: np.ndarray, codes: np.ndarray, values: np.ndarray | None = None
) -> np.ndarray:
    """Which strata can say anything: both outcomes present, and the feature not constant there.

    Args:
        failed: the outcome, boolean `[n]`.
        codes: the stratum of each prompt, whole numbers from 0, `[n]`.
        values: of one feature, `[n]`; None: only the outcomes are asked.

    Returns:
        boolean, `[strata]`, by code.

    >>> failed = np.array([True, False, True, False, True])
    >>> codes = np.array([0, 0, 1, 1, 2])
    >>> informative(failed, codes).tolist()
    [True, True, False]
    >>> informative(failed, codes, np.array([0.5, 0.5, 0.5, 0.0, 2.0])).tolist()
    [False, True, False]
    """
    sizes = np.bincount(codes)
    failures = np.bincount(codes, weights=failed)
    result: np.ndarray = (failures > 0) & (failures < sizes)
    if values is not None:
        least, largest = np.full(len(sizes), np.inf), np.full(len(sizes), -np.inf)
        np.minimum.at(least, codes, values)
        np.maximum.at(largest, codes, values)
        result &= largest > least
    return result


def stratified_sets(
    failed: np.ndarray, codes: np.ndarray, permutations: int, rng: np.random.Generator
) -> np.ndarray:
    """Random failure sets with as many failures in each stratum as the outcome has.

    Every arrangement of the outcome within strata is equally likely.

    Args:
        failed: the outcome, boolean `[n]`.
        codes: the stratum of each prompt, `[n]`.
        permutations: how many sets.
        rng: their source.

    Returns:
        boolean, `[permutations, n]`.

    >>> failed = np.array([True, False, True, True])
    >>> drawn = stratified_sets(failed, np.array([0, 0, 1, 1]), 200, np.random.default_rng(0))
    >>> np.unique(drawn, axis=0).tolist()
    [[False, True, True, True], [True, False, True, True]]
    """
    sets = np.zeros((permutations, len(failed)), dtype=bool)
    for code in np.unique(codes):
        members = np.flatnonzero(codes == code)
        failures = int(np.count_nonzero(failed[members]))
        sets[:, members] = random_sets(len(members), failures, permutations, rng)
    return sets


def exact_conditional(active: np.ndarray, failed: np.ndarray, codes: np.ndarray) -> float:
    """Exact test that a binary indicator goes with the outcome within strata, two-sided.

    Given every stratum's margins, the number of failures among the active is a sum of independent
    hypergeometric counts, one a stratum; its distribution is their convolution. p is the
    probability of the totals no likelier than the observed one (equal within a relative 1e-7). With
    one stratum that is Fisher's exact test.

    Args:
        active: the indicator, boolean `[n]`.
        failed: the outcome, boolean `[n]`.
        codes: the stratum of each prompt, whole numbers from 0, `[n]`.

    Returns:
        p in (0, 1]; 1 where no stratum has both outcomes and both states of the indicator. A p
        below the least positive float64 is returned as that.

    Reference: Cox (1970), section 4.3; for one stratum Fisher (1922).

    What looks like a tendency over all prompts is none within the strata:

    >>> codes = np.repeat([0, 1], [6, 6])
    >>> active = np.array([1, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0]) > 0
    >>> failed = np.array([1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 1]) > 0
    >>> round(exact_conditional(active, failed, np.zeros(12, dtype=int)), 4)
    0.5671
    >>> exact_conditional(active, failed, codes)
    1.0
    """
    sizes = np.bincount(codes)
    actives, failures, both = (
        np.bincount(codes, weights=chosen).astype(int)
        for chosen in (active, failed, active & failed)
    )
    least = np.maximum(0, actives + failures - sizes)
    most = np.minimum(actives, failures)
    open_strata = np.flatnonzero(most > least)
    counts = [np.arange(least[s], most[s] + 1) for s in open_strata]
    widths = [len(count) for count in counts]
    if not widths:
        return 1.0
    size, active_in, failing_in = (
        np.repeat(margin[open_strata], widths) for margin in (sizes, actives, failures)
    )
    likely = hypergeom.pmf(np.concatenate(counts), size, active_in, failing_in)
    distribution = np.ones(1)
    for stratum in np.split(likely, np.cumsum(widths)[:-1]):
        distribution = np.convolve(distribution, stratum)
    observed = distribution[(both - least).sum()]
    p = distribution[distribution <= observed * (1 + RELATIVE_TIE)].sum()
    return float(np.clip(p, np.finfo(float).tiny, 1.0))
