"""The same family against the outcomes as they may fall within strata."""

from __future__ import annotations

import numpy as np

from faultlens.auditing.feature_tests.correlates import Correlates
from faultlens.stats.block_sets import outcome_sets
from faultlens.stats.stepdown import max_t
from faultlens.stats.strata import informative


def conditional_p(
    found: Correlates,
    failed: np.ndarray,
    codes: np.ndarray,
    permutations: int,
    seed: int,
    blocks: np.ndarray | None = None,
    parts: np.ndarray | None = None,
) -> np.ndarray:
    """Strength and firing against outcomes permuted within strata, adjusted `[features]`.

    Twice the smaller p, at most 1, of two tests over the whole family: max-T of the pooled
    activation, and max-T of firing, whose z is the square root of the Cochran–Mantel–Haenszel
    statistic (without its correction). Strength alone misses what makes failure likelier by firing
    at all and is heavy-tailed where it fires. With one stratum that is `p_deciding`.

    Args:
        found: the family.
        failed: the outcome, boolean `[prompts]`.
        codes: the stratum of each prompt, `[prompts]`.
        permutations: of the outcome, within the strata.
        seed: of the permutations.
        blocks: the block of each prompt that belongs together; None: each stands by itself.
        parts: which prompts of a block repeat one another; None: none do.
    """
    if len(np.unique(codes)) == 1:
        return found.decisive
    if not informative(failed, np.unique(codes, return_inverse=True)[1]).any():
        return np.ones(found.values.shape[1])  # there is no other arrangement of the outcome
    rng = np.random.default_rng(seed)
    sets = outcome_sets(failed, permutations, rng, strata=codes, blocks=blocks, parts=parts)
    firing = found.firing
    smaller = np.minimum(
        max_t(found.values, sets, failed, codes), max_t(firing, sets, failed, codes)
    )
    doubled: np.ndarray = np.minimum(2 * smaller, 1.0)
    return doubled
