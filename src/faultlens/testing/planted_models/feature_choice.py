"""Feature choice: which features a cause is planted on, drawn among those that can carry one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from faultlens.testing.planted_models.material import Material

SOME = (0.12, 0.4)  # of the prompts: at whose last token a presence-cause fires
MOSTLY = (0.55, 0.85)  # the same of a cause by absence
POOLED = 0.6  # at most so many prompts have it at any token
BOTH = 0.08  # of the prompts: at least so many have both parts of an AND, or of an overlapping OR
ALONE = 0.05  # and at least so many have each without the other


def firing_features(found: Material, site: str, rng: np.random.Generator) -> list[int]:
    """The features that fire at the last token of some prompts, in a random order."""
    share = found.firing_at_last(site).mean(axis=0)
    able = (share >= SOME[0]) & (share <= SOME[1]) & (found.pooled_share(site) <= POOLED)
    order: list[int] = rng.permutation(np.flatnonzero(able)).tolist()
    return order


def usual_features(found: Material, site: str, rng: np.random.Generator) -> list[int]:
    """The features that fire at the last token of most prompts, and seldom elsewhere."""
    share = found.firing_at_last(site).mean(axis=0)
    pooled = found.pooled_share(site)
    able = (share >= MOSTLY[0]) & (share <= MOSTLY[1]) & (pooled - share <= 0.2)
    order: list[int] = rng.permutation(np.flatnonzero(able)).tolist()
    return order


def earlier_features(found: Material, site: str, rng: np.random.Generator) -> list[int]:
    """The features that fire on some prompts, and not at their last token."""
    pooled, share = found.pooled_share(site), found.firing_at_last(site).mean(axis=0)
    able = (pooled >= SOME[0]) & (pooled <= SOME[1]) & (share < 0.02)
    order: list[int] = rng.permutation(np.flatnonzero(able)).tolist()
    return order


def pairs(
    found: Material, site: str, rng: np.random.Generator, overlapping: bool
) -> Iterator[tuple[int, int]]:
    """Pairs of features that fire at the last token: seldom together, or often but not always."""
    fires = found.firing_at_last(site)
    features = firing_features(found, site, rng)
    for place, first in enumerate(features):
        for second in features[:place]:
            a, b = fires[:, first], fires[:, second]
            both, either = (a & b).mean(), (a | b).mean()
            alone = min((a & ~b).mean(), (b & ~a).mean())
            if overlapping and both >= BOTH and alone >= ALONE:
                yield first, second
            if not overlapping and both <= 0.25 * min(a.mean(), b.mean()) and either <= 0.6:
                yield first, second
