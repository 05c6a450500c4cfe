"""Step 2: which descriptions of the prompt go with failure, before any feature is looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from faultlens.audit.result import LevelReading
from faultlens.stats.fisher import fisher_exact, odds_ratio
from faultlens.stats.intervals import clopper_pearson
from faultlens.stats.multiplicity import holm

LEAST_LEVEL = 5  # prompts; rarer levels of a factor are pooled
POOLED = "(rarer levels)"


def pooled_levels(levels: Sequence[str]) -> list[str]:
    """The levels, with those on fewer than five prompts put together under one name."""
    counts = Counter(levels)
    return [level if counts[level] >= LEAST_LEVEL else POOLED for level in levels]


def factor_table(
    factors: Mapping[str, Sequence[str]], failed: np.ndarray
) -> dict[str, dict[str, LevelReading]]:
    """Failure rate of every level of every factor, its interval, and its test against the rest.

    Args:
        factors: for each factor the level of every prompt.
        failed: the outcome, boolean `[prompts]`.

    Returns:
        by factor and level, levels by falling failure rate. A factor with one level tells nothing
        and is left out. The test is Fisher's; Holm runs over all levels of all factors.
    """
    n, failures = len(failed), int(failed.sum())
    found: dict[tuple[str, str], tuple[int, int, float]] = {}
    for factor, raw in factors.items():
        levels = np.array(pooled_levels(raw), dtype=object)
        names = list(dict.fromkeys(levels))
        if len(names) < 2:
            continue
        sizes = np.array([(levels == name).sum() for name in names])
        failing = np.array([(failed & (levels == name)).sum() for name in names])
        p_values = fisher_exact(failing, sizes, failures, n)
        for name, size, failing_here, p in zip(names, sizes, failing, p_values, strict=True):
            found[factor, name] = (int(size), int(failing_here), float(p))
    adjusted = holm(np.array([p for _, _, p in found.values()]))
    table: dict[str, dict[str, LevelReading]] = {}
    ranked = sorted(
        zip(found.items(), adjusted.tolist(), strict=True),
        key=lambda item: -item[0][1][1] / item[0][1][0],
    )
    for ((factor, level), (size, failing_here, p)), p_holm in ranked:
        low, high = clopper_pearson(failing_here, size)
        ratio = odds_ratio(failing_here, size, failures, n)
        table.setdefault(factor, {})[level] = LevelReading(
            n=size,
            failures=failing_here,
            rate=failing_here / size,
            low=low,
            high=high,
            p_value=p,
            p_holm=p_holm,
            odds_ratio=ratio if np.isfinite(ratio) else None,
        )
    return {factor: table[factor] for factor in factors if factor in table}
