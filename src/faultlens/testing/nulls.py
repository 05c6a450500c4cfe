"""Kinds of planted sets in which no feature has to do with failure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from faultlens.testing.effects import OBJECT, at_levels, outcome
from faultlens.testing.planted_set import Planted, Strength, World, assemble
from faultlens.testing.worlds import heavy


def null_independent(world: World, strength: Strength, rate: float) -> Planted:
    """Failure has nothing to do with anything."""
    failed = world.rng.random(world.n) < rate
    return assemble(world, "null_independent", "null", failed, [])


def null_factor(world: World, strength: Strength, rate: float) -> Planted:
    """An object causes failure; no feature copies a factor or knows of one."""
    world.values[:, list(world.copies)] = 0
    failed = outcome(world, OBJECT[strength] * at_levels(world, "object"), rate)
    return assemble(world, "null_factor", "null", failed, [])


def null_grouped(world: World, strength: Strength, rate: float) -> Planted:
    """Six prompts each are about one document: failure goes with it, and so do many features."""
    document = np.arange(world.n) // 6
    count = int(document.max()) + 1
    for column in range(world.free // 2):
        share = (world.rng.random(count) < 0.35)[document]
        world.values[:, column] = share * heavy(world.rng, count)[document]
    failed = outcome(world, world.rng.normal(0, 1.5, count)[document], rate)
    groups = {"document": [f"d{i}" for i in document]}
    return assemble(world, "null_grouped", "null", failed, [], groups=groups)


def null_named(world: World, strength: Strength, rate: float) -> Planted:
    """The name decides part of the outcome; features read names. Names are declared as groups."""
    column = "name" if "name" in world.factors else "indirect_object"
    names, of = np.unique(world.factors[column], return_inverse=True)
    for j in range(world.free // 3):
        world.values[:, j] = (world.rng.random(len(names)) < 0.3)[of] * heavy(world.rng, world.n)
    failed = outcome(world, world.rng.normal(0, 1.0, len(names))[of], rate)
    groups = {column: world.factors[column].tolist()}
    return assemble(world, "null_named", "null", failed, [], groups=groups)


def null_near_duplicates(world: World, strength: Strength, rate: float) -> Planted:
    """Every prompt stands twice but for one word, with nearly the same activations and outcome."""
    half = np.arange(world.n) % (world.n // 2)
    noise = np.exp(world.rng.normal(0, 0.1, world.values.shape))
    texts = [
        world.texts[int(j)] + (" then" if i >= world.n // 2 else "") for i, j in enumerate(half)
    ]
    twice = replace(
        world,
        texts=texts,
        factors={name: levels[half] for name, levels in world.factors.items()},
        values=world.values[half] * noise,
    )
    failed = (world.rng.random(world.n) < rate)[half]
    return assemble(twice, "null_near_duplicates", "null", failed, [])
