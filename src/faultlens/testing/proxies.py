"""Kinds of planted sets in which a feature goes with failure for another reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from faultlens.testing.effects import (
    FIRING,
    GRADED,
    OBJECT,
    at_levels,
    continuations,
    fires,
    outcome,
    put,
)
from faultlens.testing.planted_set import Planted, Strength, World, assemble, calibrated
from faultlens.testing.worlds import heavy, standard


def token_proxy(world: World, strength: Strength, rate: float) -> Planted:
    """A feature fires exactly where an object stands that causes failure."""
    at = at_levels(world, "object")
    column = put(world, at * heavy(world.rng, world.n))
    failed = outcome(world, OBJECT[strength] * at, rate)
    return assemble(world, "token_proxy", "proxy", failed, [column])


def noisy_proxy(world: World, strength: Strength, rate: float) -> Planted:
    """As `token_proxy`, with misses and false alarms."""
    at = at_levels(world, "object")
    on = np.where(at, world.rng.random(world.n) > 0.12, world.rng.random(world.n) < 0.04)
    column = put(world, on * heavy(world.rng, world.n))
    failed = outcome(world, OBJECT[strength] * at, rate)
    return assemble(world, "noisy_proxy", "proxy", failed, [column])


def union_proxy(world: World, strength: Strength, rate: float) -> Planted:
    """A feature fires exactly at three objects, of which each causes failure."""
    at = at_levels(world, "object", 3)
    column = put(world, at * heavy(world.rng, world.n))
    failed = outcome(world, OBJECT[strength] * at, rate)
    return assemble(world, "union_proxy", "proxy", failed, [column])


def confound(world: World, strength: Strength, rate: float) -> Planted:
    """An object causes failure, and makes a dense feature stronger."""
    at = at_levels(world, "object", 2)
    column = put(world, np.maximum(5 + 1.5 * at + world.rng.normal(size=world.n), 0.01))
    failed = outcome(world, OBJECT[strength] * at, rate)
    return assemble(world, "confound", "proxy", failed, [column])


def numeric(world: World, strength: Strength, rate: float) -> Planted:
    """Failure grows with the length, which is given as a factor; a feature follows the length."""
    z = standard(world.factors["length"].astype(float))
    column = put(world, np.maximum(2 + 1.5 * z + 0.5 * world.rng.normal(size=world.n), 0))
    failed = outcome(world, 0.75 * GRADED[strength] * z, rate)
    given = ("object", "place", "template", "length")
    return assemble(world, "numeric", "proxy", failed, [column], given=given)


def and_cell(world: World, strength: Strength, rate: float) -> Planted:
    """Two objects in two templates fail; a feature copies that cell, with noise."""
    at = at_levels(world, "object", 2) & at_levels(world, "template", 2)
    on = np.where(at, world.rng.random(world.n) > 0.08, world.rng.random(world.n) < 0.02)
    column = put(world, on * heavy(world.rng, world.n))
    failed = outcome(world, 1.3 * OBJECT[strength] * at, rate)
    return assemble(world, "and_cell", "proxy", failed, [column])


def scoring_artefact(world: World, strength: Strength, rate: float) -> Planted:
    """A feature makes answers that the scoring takes for wrong, and name the answer later."""
    on = fires(world)
    column = put(world, on * heavy(world.rng, world.n))
    misscored = outcome(world, FIRING[strength] * on, 0.7 * rate)
    real = world.rng.random(world.n) < 0.3 * rate
    generated = continuations(misscored | real, misscored & ~real)
    return assemble(
        world, "scoring_artefact", "artefact", misscored | real, [column], generated=generated
    )


def collider(world: World, strength: Strength, rate: float) -> Planted:
    """A feature does nothing; a factor that is given is a consequence of it and of failure.

    Among prompts alike in the factor the feature does go with failure: that is no false finding of
    a test of association, but says nothing of a cause.
    """
    on = fires(world, 0.3)
    column = put(world, on * heavy(world.rng, world.n))
    failed = world.rng.random(world.n) < rate
    both = FIRING[strength] * (on.astype(float) + failed)
    world = replace(
        world,
        factors={
            **world.factors,
            "flag": (world.rng.random(world.n) < calibrated(both, 0.4)).astype(str),
        },
    )
    given = ("object", "place", "template", "flag")
    return assemble(world, "collider", "proxy", failed, [column], given=given)
