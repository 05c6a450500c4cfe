"""Step 2 in order: what describes the prompts, and which of it goes with failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from faultlens.auditing.factors.derived import derived_factors
from faultlens.auditing.factors.level_test import LevelTest
from faultlens.auditing.factors.levels import factor_table, held_levels, left_out, prepared, trends
from faultlens.auditing.factors.selection import pair_table, select_levels
from faultlens.auditing.factors.within import factors_within
from faultlens.auditing.result import LevelReading, PairTable, Selection, TrendReading


@dataclass(frozen=True)
class FactorFindings:
    """The prompts' factors, and what each says of failure.

    Attributes:
        given: for each factor the level of every prompt, as it was brought or read off the text.
        levels: the same as the tables take it: numbers binned, rare levels pooled.
        held: the same as it is held constant: numbers in finer bins.
        derived: whether the factors were read off the prompts, none having been given.
        left_out: those that tell nothing, with the reason.
        table: failure at every level, by factor and level.
        selection: the levels that forward selection took and dropped.
        pairs: pairs of levels that matter as pairs.
        within: further factors that go with failure within the strata of those that selection kept
            and of the pairs, by rising p.
        trends: of numeric factors.
    """

    given: dict[str, list[str]]
    levels: dict[str, list[str]]
    held: dict[str, list[str]]
    derived: bool
    left_out: dict[str, str]
    table: dict[str, dict[str, LevelReading]]
    selection: Selection
    pairs: PairTable
    within: list[str]
    trends: dict[str, TrendReading]


def find_factors(
    brought: Mapping[str, Sequence[str]],
    texts: Sequence[str],
    failed: np.ndarray,
    *,
    alpha: float,
    seed: int,
    blocks: np.ndarray | None = None,
    parts: np.ndarray | None = None,
) -> FactorFindings:
    """Test what describes the prompts against the outcome, before any feature is looked at.

    Args:
        brought: for each factor the level of every prompt; empty: factors are read off the texts.
        texts: the prompts.
        failed: the outcome, boolean `[prompts]`.
        alpha: the family-wise level of forward selection and of the pairs.
        seed: of permutations.
        blocks: the group of every prompt that belongs together; None: each stands by itself.
        parts: which prompts of a block repeat one another; None: none do.

    Raises UserError where a factor has not one level a prompt.
    """
    given = {name: [*map(str, levels)] for name, levels in brought.items()}
    given = given or derived_factors(texts)
    levels = prepared(given)
    test = LevelTest(failed, blocks, seed, parts)
    held = held_levels(given)
    selection = select_levels(levels, failed, alpha, test)
    pairs = pair_table(levels, failed, alpha, test)
    kept = list(dict.fromkeys([*selection.kept, *pairs.factors(alpha)]))
    return FactorFindings(
        given=given,
        levels=levels,
        held=held,
        derived=not brought and bool(given),
        left_out=left_out(given),
        table=factor_table(levels, failed, test),
        selection=selection,
        pairs=pairs,
        within=factors_within(
            held, failed, kept, alpha=alpha, seed=seed, blocks=blocks, parts=parts
        ),
        trends=trends(given, failed, seed, blocks, parts),
    )
