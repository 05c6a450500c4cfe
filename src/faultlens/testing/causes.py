"""Kinds of planted sets in which a feature causes failure."""

from __future__ import annotations

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
from faultlens.testing.planted_set import Planted, Strength, World, assemble
from faultlens.testing.worlds import heavy, standard


def firing(world: World, strength: Strength, rate: float) -> Planted:
    """A feature causes failure by firing, however strongly."""
    on = fires(world)
    column = put(world, on * heavy(world.rng, world.n))
    failed = outcome(world, FIRING[strength] * on, rate)
    return assemble(world, "firing", "cause", failed, [column])


def graded(world: World, strength: Strength, rate: float) -> Planted:
    """A sparse feature causes failure by its strength (of the logarithm) where it fires."""
    on = fires(world, 0.5)
    value = on * heavy(world.rng, world.n)
    column = put(world, value)
    failed = outcome(world, GRADED[strength] * standard(np.log1p(value)), rate)
    return assemble(world, "graded", "cause", failed, [column])


def dense(world: World, strength: Strength, rate: float) -> Planted:
    """A feature that fires everywhere causes failure; six sparse ones reflect it weakly."""
    value = np.maximum(5 + world.rng.normal(size=world.n), 0.01)
    z = standard(value)
    column = put(world, value)
    for place in range(1, 7):
        reflects = 0.5 * z + world.rng.normal(size=world.n) > 0.9
        put(world, reflects * np.exp(world.rng.normal(0, 0.5, world.n)), place)
    failed = outcome(world, GRADED[strength] * z, rate)
    return assemble(world, "dense", "cause", failed, [column])


def and_factor(world: World, strength: Strength, rate: float) -> Planted:
    """A feature causes failure at half of the objects only."""
    on, at = fires(world, 0.35), at_levels(world, "object", 4)
    column = put(world, on * heavy(world.rng, world.n))
    failed = outcome(world, 1.3 * FIRING[strength] * (on & at), rate)
    return assemble(world, "and_factor", "cause", failed, [column])


def or_of_two(world: World, strength: Strength, rate: float) -> Planted:
    """Either of two features causes failure."""
    first, second = fires(world, 0.15), fires(world, 0.15)
    columns = [
        put(world, on * heavy(world.rng, world.n), place)
        for place, on in enumerate((first, second))
    ]
    failed = outcome(world, FIRING[strength] * (first | second), rate)
    return assemble(world, "or_of_two", "cause", failed, columns)


def absence(world: World, strength: Strength, rate: float) -> Planted:
    """Failure where a feature that mostly fires is silent."""
    on = fires(world, 0.75)
    column = put(world, on * heavy(world.rng, world.n))
    failed = outcome(world, FIRING[strength] * ~on, rate)
    return assemble(world, "absence", "cause", failed, [column])


def beside_factor(world: World, strength: Strength, rate: float) -> Planted:
    """A feature causes failure by firing, and so does an object."""
    on, at = fires(world), at_levels(world, "object")
    column = put(world, on * heavy(world.rng, world.n))
    failed = outcome(world, FIRING[strength] * on + OBJECT[strength] * at, rate)
    return assemble(world, "beside_factor", "cause", failed, [column])


def mediator(world: World, strength: Strength, rate: float) -> Planted:
    """An object makes a feature fire, mostly, and the feature causes failure: it says more."""
    at = at_levels(world, "object", 2)
    on = np.where(at, world.rng.random(world.n) < 0.6, world.rng.random(world.n) < 0.1)
    column = put(world, on * heavy(world.rng, world.n))
    failed = outcome(world, FIRING[strength] * on, rate)
    return assemble(world, "mediator", "cause", failed, [column])


def suppressed(world: World, strength: Strength, rate: float) -> Planted:
    """A feature raises failure within each object, and avoids the object that fails."""
    at = at_levels(world, "object")
    on = np.where(at, world.rng.random(world.n) < 0.03, world.rng.random(world.n) < 0.4)
    column = put(world, on * heavy(world.rng, world.n))
    failed = outcome(world, 5.0 * at + FIRING[strength] * on, rate)
    return assemble(world, "suppressed", "cause", failed, [column])


def duplicates(world: World, strength: Strength, rate: float) -> Planted:
    """A cause by firing stands four times, but for a little noise: one finding, not four."""
    on = fires(world)
    value = on * heavy(world.rng, world.n)
    columns = [
        put(world, value * np.exp(world.rng.normal(0, 0.05, world.n)), place) for place in range(4)
    ]
    failed = outcome(world, FIRING[strength] * on, rate)
    return assemble(world, "duplicates", "cause", failed, columns)


def forgiven(world: World, strength: Strength, rate: float) -> Planted:
    """A cause by firing; most of its failures name the answer later, by chance."""
    on = fires(world)
    column = put(world, on * heavy(world.rng, world.n))
    failed = outcome(world, FIRING[strength] * on, rate)
    later = world.rng.random(world.n) < 0.85
    return assemble(
        world, "forgiven", "cause", failed, [column], generated=continuations(failed, later)
    )
