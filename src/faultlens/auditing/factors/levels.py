"""Step 2: which descriptions of the prompt go with failure, before any feature is looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from scipy.stats import binomtest

from faultlens.auditing.factors.level_test import LevelTest
from faultlens.auditing.result import LevelReading, TrendReading
from faultlens.errors import UserError
from faultlens.stats.block_sets import outcome_sets
from faultlens.stats.effects import auroc, midranks
from faultlens.stats.fisher import odds_ratio
from faultlens.stats.label_null import permutation_p
from faultlens.stats.multiplicity import holm

LEAST_LEVEL = 5  # prompts; rarer levels of a factor are pooled
POOLED = "(rarer levels)"
MOST_CATEGORIES = 8  # a factor of numbers with more distinct values is a quantity
MOST_BINS = 4
LEAST_HELD_BINS, MOST_HELD_BINS = 8, 20  # of a quantity that is held constant
PROMPTS_A_HELD_BIN = 25
PERMUTATIONS = 10_000
BLOCK = 1_000  # permutations held at once

NO_PROMPTS = "no prompts"
ONE_LEVEL = "one level only"
ALL_RARE = f"every level on fewer than {LEAST_LEVEL} prompts"

Level = tuple[str, str]
"""A factor's name and one of its levels."""


def pooled_levels(levels: Sequence[str]) -> list[str]:
    """The levels, with those on fewer than five prompts put together under one name."""
    counts = Counter(levels)
    return [level if counts[level] >= LEAST_LEVEL else POOLED for level in levels]


def numeric_values(levels: Sequence[str]) -> np.ndarray | None:
    """The levels as numbers `[prompts]` where the factor is numeric, else None.

    Numeric is a factor whose levels all parse as finite numbers, more than eight different ones: a
    template's number is a name, a length is a quantity.
    """
    if any("_" in level for level in levels):  # Python reads "1_2" as 12, people do not
        return None
    try:
        values = np.array([float(level) for level in levels])
    except ValueError:
        return None
    quantity = np.isfinite(values).all() and len(np.unique(values)) > MOST_CATEGORIES
    return values if quantity else None


def prepared(factors: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The factors as the tables take them: numbers binned, rare levels pooled.

    A numeric factor becomes at most four bins, cut where the cumulative share comes nearest to the
    quartiles (to halves or thirds below 20 prompts), none on fewer than five prompts. Factors that
    are left with one level tell nothing and are left out; `left_out` says which and why.
    """
    grouped = {name: _grouped(levels) for name, levels in factors.items()}
    return {name: levels for name, levels in grouped.items() if len(set(levels)) > 1}


def held_levels(factors: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The factors as they are held constant: as `prepared` gives them, but numbers in more bins.

    What is left of a quantity inside a bin is not held: with quarters, a feature that merely
    follows the quantity seemed to say more than it does in 86 % of sets of 1,000 prompts. So a bin
    holds about 25 prompts, and there are at least 8 bins and at most 20 (fewer where prompts or
    distinct values are).
    """
    held = prepared(factors)
    for name in held:
        values = numeric_values(factors[name])
        if values is not None:
            most = min(max(len(values) // PROMPTS_A_HELD_BIN, LEAST_HELD_BINS), MOST_HELD_BINS)
            held[name] = pooled_levels(_binned(values, factors[name], most))
    return held


def left_out(factors: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The factors that `prepared` leaves out, each with the reason."""
    reasons = {}
    for name, levels in factors.items():
        if not levels:
            reasons[name] = NO_PROMPTS
        elif len(set(levels)) == 1:
            reasons[name] = ONE_LEVEL
        elif len(set(_grouped(levels))) == 1:
            reasons[name] = ALL_RARE
    return reasons


def _grouped(levels: Sequence[str]) -> list[str]:
    values = numeric_values(levels)
    return pooled_levels(levels if values is None else _binned(values, levels))


def _binned(values: np.ndarray, spellings: Sequence[str], most: int = MOST_BINS) -> list[str]:
    """The bin of every value, named by the spellings of its ends; ties are never separated."""
    n = len(values)
    distinct, first, counts = np.unique(values, return_index=True, return_counts=True)
    bins = min(most, n // LEAST_LEVEL)
    below = np.cumsum(counts)
    cuts: list[int] = []  # places in `distinct` after which a bin ends
    for share in np.arange(1, bins) / bins:
        cut = int(np.argmin(np.abs(below / n - share)))
        enough = below[cut] - (below[cuts[-1]] if cuts else 0) >= LEAST_LEVEL
        if enough and n - below[cut] >= LEAST_LEVEL:
            cuts.append(cut)
    if not cuts:
        return list(spellings)
    names = [spellings[i].strip() for i in first]
    ranges = [f"<= {names[cuts[0]]}"]
    for low, high in pairwise(cuts):
        alone = low + 1 == high
        ranges.append(names[high] if alone else f"{names[low + 1]} to {names[high]}")
    ranges.append(f"> {names[cuts[-1]]}")
    return [ranges[i] for i in np.searchsorted(distinct[cuts], values, side="left")]


def matched(factors: Mapping[str, Sequence[str]], failed: np.ndarray) -> None:
    """Raise UserError where a factor has not exactly one level a prompt."""
    for name, levels in factors.items():
        if len(levels) != len(failed):
            raise UserError(
                f"factor {name!r} has {len(levels)} levels for {len(failed)} prompts: "
                "expected one level a prompt"
            )


def level_members(factors: Mapping[str, Sequence[str]]) -> dict[Level, np.ndarray]:
    """The prompts at each level, boolean `[prompts]`, rare levels pooled.

    A factor with one level tells nothing and is left out.
    """
    members: dict[Level, np.ndarray] = {}
    for factor, raw in factors.items():
        levels = np.array(pooled_levels(raw), dtype=object)
        names = list(dict.fromkeys(levels))
        if len(names) > 1:
            members |= {(factor, name): np.asarray(levels == name, dtype=bool) for name in names}
    return members


def factor_table(
    factors: Mapping[str, Sequence[str]], failed: np.ndarray, test: LevelTest | None = None
) -> dict[str, dict[str, LevelReading]]:
    """Failure rate of every level of every factor, its interval, and its test against the rest.

    Args:
        factors: for each factor the level of every prompt.
        failed: the outcome, boolean `[prompts]`.
        test: of a level; None: Fisher's.

    Returns:
        by factor and level, levels by falling failure rate. A factor with one level tells nothing
        and is left out. Holm runs over all levels of all factors.

    Raises UserError where a factor has not one level a prompt.
    """
    matched(factors, failed)
    n, failures = len(failed), int(failed.sum())
    members = level_members(factors)
    sizes = np.array([here.sum() for here in members.values()], dtype=int)
    failing = np.array([(failed & here).sum() for here in members.values()], dtype=int)
    at = np.array([*members.values()], dtype=bool).reshape(len(members), n)
    p_values = (test or LevelTest(failed)).p_values(at)
    found = zip(members, sizes.tolist(), failing.tolist(), p_values, holm(p_values), strict=True)
    table: dict[str, dict[str, LevelReading]] = {}
    for (factor, level), size, here, p, p_holm in sorted(found, key=lambda row: -row[2] / row[1]):
        interval = binomtest(here, size).proportion_ci()  # Clopper–Pearson
        ratio = odds_ratio(here, size, failures, n)
        table.setdefault(factor, {})[level] = LevelReading(
            n=size,
            failures=here,
            rate=here / size,
            low=interval.low,
            high=interval.high,
            p_value=float(p),
            p_holm=float(p_holm),
            odds_ratio=ratio if np.isfinite(ratio) else None,
        )
    return {factor: table[factor] for factor in factors if factor in table}


def trends(
    factors: Mapping[str, Sequence[str]],
    failed: np.ndarray,
    seed: int,
    blocks: np.ndarray | None = None,
    parts: np.ndarray | None = None,
) -> dict[str, TrendReading]:
    """The trend of failure with every numeric factor, on its values before they are binned.

    The p-value is the share of 10,000 random outcome vectors with as many failures whose AUROC lies
    at least as far from 1/2 as the observed (+1 correction): the permutation form of the
    Mann–Whitney test, ties included. Its least value is therefore 1e-4. Where prompts belong
    together the outcome is permuted by their `blocks [prompts]`, of which `parts [prompts]` repeat
    one another.

    Returns:
        by factor; empty where all prompts have one outcome. Raises UserError where a factor has not
        one level a prompt.
    """
    matched(factors, failed)
    numeric = {name: numeric_values(levels) for name, levels in factors.items()}
    values = {name: column for name, column in numeric.items() if column is not None}
    if not values or failed.all() or not failed.any():
        return {}
    ranks = midranks(np.column_stack(list(values.values())))
    observed = auroc(ranks, failed)
    rng = np.random.default_rng(seed)
    failures, successes = int(failed.sum()), int((~failed).sum())
    sums = [
        outcome_sets(failed, BLOCK, rng, blocks=blocks, parts=parts).astype(np.float32) @ ranks
        for _ in range(PERMUTATIONS // BLOCK)
    ]
    null = (np.concatenate(sums) - failures * (failures + 1) / 2) / (failures * successes)
    return {
        name: TrendReading(
            auroc=float(observed[i]),
            p_value=permutation_p(np.abs(null[:, i] - 0.5), abs(float(observed[i]) - 0.5)),
        )
        for i, name in enumerate(values)
    }
