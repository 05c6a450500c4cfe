"""Which further factors go with failure among prompts that are alike in those that do?

Forward selection looks outside the levels that it has taken, and pairs of levels are many. A factor
that matters only at a level that was taken (failures come where two factors meet) is missed by
both: within the strata of the factors taken it shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from faultlens.stats.block_sets import outcome_sets
from faultlens.stats.multiplicity import holm
from faultlens.stats.strata import stratum_codes
from faultlens.stats.stratified_association import association_within

PERMUTATIONS = 1_999


def factors_within(
    factors: Mapping[str, Sequence[str]],
    failed: np.ndarray,
    kept: Sequence[str],
    *,
    alpha: float,
    seed: int,
    blocks: np.ndarray | None = None,
    parts: np.ndarray | None = None,
) -> list[str]:
    """The factors beside those kept whose levels go with failure within the strata of these.

    Each is tested by Pearson's chi-square summed over the strata, with the outcome permuted within
    them; Holm over the factors tested.

    Args:
        factors: for each factor the level of every prompt, as `held_levels` gives them.
        failed: the outcome, boolean `[prompts]`.
        kept: the factors that go with failure, alone or in pairs; with none nothing is tested.
        alpha: the family-wise level.
        seed: of the permutations.
        blocks: the block of each prompt that belongs together; None: each stands by itself.
        parts: which prompts of a block repeat one another; None: none do.

    Returns:
        their names, by rising p.
    """
    others = [name for name in factors if name not in kept]
    if not kept or not others:
        return []
    codes = stratum_codes([factors[name] for name in kept])
    rng = np.random.default_rng(seed)
    sets = outcome_sets(failed, PERMUTATIONS, rng, strata=codes, blocks=blocks, parts=parts)
    p = np.array([
        association_within(stratum_codes([factors[name]]), failed, codes, sets) for name in others
    ])  # fmt: skip
    adjusted = holm(p)
    return [others[i] for i in np.argsort(p, kind="stable") if adjusted[i] <= alpha]
