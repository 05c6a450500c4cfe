"""How large planted effects are, and the pieces that every kind is made of."""

from __future__ import annotations

import numpy as np

from faultlens.testing.planted_set import World, calibrated

FIRING = {"strong": 2.8, "medium": 2.0, "weak": 1.2}
"""Log odds of failure where a cause fires."""
GRADED = {"strong": 2.4, "medium": 1.5, "weak": 0.9}
"""Log odds of failure for a standard deviation of a graded cause."""
OBJECT = {"strong": 3.0, "medium": 2.2, "weak": 1.5}
"""Log odds of failure at a level that causes it."""


def outcome(world: World, logits: np.ndarray, rate: float) -> np.ndarray:
    """Which prompts fail, drawn with these log odds but for their mean: boolean `[prompts]`."""
    failed: np.ndarray = world.rng.random(world.n) < calibrated(logits, rate)
    return failed


def put(world: World, column: np.ndarray, place: int = 0) -> int:
    """Write a planted feature into one of the eight free columns; which column that is."""
    world.values[:, world.free + place] = column
    return world.free + place


def fires(world: World, share: float = 0.2) -> np.ndarray:
    """Where a feature fires that goes with nothing, boolean `[prompts]`."""
    chosen: np.ndarray = world.rng.random(world.n) < share
    return chosen


def at_levels(world: World, factor: str, count: int = 1) -> np.ndarray:
    """The prompts at some random levels of a factor."""
    levels = np.unique(world.factors[factor])
    chosen = world.rng.choice(levels, count, replace=False)
    return np.isin(world.factors[factor], chosen)


def continuations(failed: np.ndarray, later: np.ndarray) -> list[str]:
    """Continuations: a failure names the target later, or never."""
    wrong = {True: " the garden. Zed was glad", False: " the garden. They were glad"}
    return [wrong[bool(b)] if a else " Zed" for a, b in zip(failed, later, strict=True)]
