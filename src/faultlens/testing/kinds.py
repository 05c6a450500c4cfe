"""The kinds of planted truth: each puts its features into a world's free columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from faultlens.errors import UserError
from faultlens.testing.planted_set import Planted, Strength, World, assemble, calibrated
from faultlens.testing.worlds import heavy, made_up, of_mini, standard

FIRING = {"strong": 2.8, "medium": 2.0, "weak": 1.2}
"""Log odds of failure where a cause fires."""
GRADED = {"strong": 2.4, "medium": 1.5, "weak": 0.9}
"""Log odds of failure for a standard deviation of a graded cause."""
OBJECT = {"strong": 3.0, "medium": 2.2, "weak": 1.5}
"""Log odds of failure at a level that causes it."""

Source = Literal["made-up", "mini"]
Kind = Callable[[World, Strength, float], Planted]

KINDS: dict[str, Kind] = {}
"""By name."""


def plant(
    kind: str,
    *,
    n: int = 300,
    rate: float = 0.2,
    strength: Strength = "strong",
    seed: int,
    features: int = 150,
    source: Source = "made-up",
) -> Planted:
    """A data set with a planted truth.

    Args:
        kind: one of `KINDS`.
        n: prompts.
        rate: share of them that fail, about.
        strength: of the effect, where there is one.
        seed: of everything; with the same arguments the set is the same.
        features: columns of the table.
        source: of prompts and features: made up, or the bundled model's.

    Raises:
        UserError: an unknown kind.

    >>> found = plant("firing", n=60, seed=1)
    >>> found.truth, found.table.matrix.shape, len(found.features)
    ('cause', (60, 150), 1)
    """
    if kind not in KINDS:
        raise UserError(f"no kind of planted set {kind!r}: expected one of {', '.join(KINDS)}")
    place = list(KINDS).index(kind)
    rng = np.random.default_rng([place, n, round(1000 * rate), len(strength), seed])
    world = (of_mini if source == "mini" else made_up)(n, features, rng)
    return KINDS[kind](world, strength, rate)


def _kind(function: Kind) -> Kind:
    KINDS[function.__name__.strip("_")] = function
    return function


def _drawn(world: World, logits: np.ndarray, rate: float) -> np.ndarray:
    failed: np.ndarray = world.rng.random(world.n) < calibrated(logits, rate)
    return failed


def _put(world: World, column: np.ndarray, place: int = 0) -> int:
    """Write a planted feature; its column."""
    world.values[:, world.free + place] = column
    return world.free + place


def _fires(world: World, share: float = 0.2) -> np.ndarray:
    fires: np.ndarray = world.rng.random(world.n) < share
    return fires


def _at(world: World, factor: str, count: int = 1) -> np.ndarray:
    """The prompts at some random levels of a factor."""
    levels = np.unique(world.factors[factor])
    chosen = world.rng.choice(levels, count, replace=False)
    return np.isin(world.factors[factor], chosen)


# causes


@_kind
def firing(world: World, strength: Strength, rate: float) -> Planted:
    """A feature causes failure by firing, however strongly."""
    on = _fires(world)
    column = _put(world, on * heavy(world.rng, world.n))
    failed = _drawn(world, FIRING[strength] * on, rate)
    return assemble(world, "firing", "cause", failed, [column])


@_kind
def graded(world: World, strength: Strength, rate: float) -> Planted:
    """A sparse feature causes failure by its strength (of the logarithm) where it fires."""
    on = _fires(world, 0.5)
    value = on * heavy(world.rng, world.n)
    column = _put(world, value)
    failed = _drawn(world, GRADED[strength] * standard(np.log1p(value)), rate)
    return assemble(world, "graded", "cause", failed, [column])


@_kind
def dense(world: World, strength: Strength, rate: float) -> Planted:
    """A feature that fires everywhere causes failure; six sparse ones reflect it weakly."""
    value = np.maximum(5 + world.rng.normal(size=world.n), 0.01)
    z = standard(value)
    column = _put(world, value)
    for place in range(1, 7):
        reflects = 0.5 * z + world.rng.normal(size=world.n) > 0.9
        _put(world, reflects * np.exp(world.rng.normal(0, 0.5, world.n)), place)
    failed = _drawn(world, GRADED[strength] * z, rate)
    return assemble(world, "dense", "cause", failed, [column])


@_kind
def and_factor(world: World, strength: Strength, rate: float) -> Planted:
    """A feature causes failure at half of the objects only."""
    on, at = _fires(world, 0.35), _at(world, "object", 4)
    column = _put(world, on * heavy(world.rng, world.n))
    failed = _drawn(world, 1.3 * FIRING[strength] * (on & at), rate)
    return assemble(world, "and_factor", "cause", failed, [column])


@_kind
def or_of_two(world: World, strength: Strength, rate: float) -> Planted:
    """Either of two features causes failure."""
    first, second = _fires(world, 0.15), _fires(world, 0.15)
    columns = [
        _put(world, on * heavy(world.rng, world.n), place)
        for place, on in enumerate((first, second))
    ]
    failed = _drawn(world, FIRING[strength] * (first | second), rate)
    return assemble(world, "or_of_two", "cause", failed, columns)


@_kind
def absence(world: World, strength: Strength, rate: float) -> Planted:
    """Failure where a feature that mostly fires is silent."""
    on = _fires(world, 0.75)
    column = _put(world, on * heavy(world.rng, world.n))
    failed = _drawn(world, FIRING[strength] * ~on, rate)
    return assemble(world, "absence", "cause", failed, [column])


@_kind
def beside_factor(world: World, strength: Strength, rate: float) -> Planted:
    """A feature causes failure by firing, and so does an object."""
    on, at = _fires(world), _at(world, "object")
    column = _put(world, on * heavy(world.rng, world.n))
    failed = _drawn(world, FIRING[strength] * on + OBJECT[strength] * at, rate)
    return assemble(world, "beside_factor", "cause", failed, [column])


@_kind
def mediator(world: World, strength: Strength, rate: float) -> Planted:
    """An object makes a feature fire, mostly, and the feature causes failure: it says more."""
    at = _at(world, "object", 2)
    on = np.where(at, world.rng.random(world.n) < 0.6, world.rng.random(world.n) < 0.1)
    column = _put(world, on * heavy(world.rng, world.n))
    failed = _drawn(world, FIRING[strength] * on, rate)
    return assemble(world, "mediator", "cause", failed, [column])


@_kind
def suppressed(world: World, strength: Strength, rate: float) -> Planted:
    """A feature raises failure within each object, and avoids the object that fails."""
    at = _at(world, "object")
    on = np.where(at, world.rng.random(world.n) < 0.03, world.rng.random(world.n) < 0.4)
    column = _put(world, on * heavy(world.rng, world.n))
    failed = _drawn(world, 5.0 * at + FIRING[strength] * on, rate)
    return assemble(world, "suppressed", "cause", failed, [column])


@_kind
def duplicates(world: World, strength: Strength, rate: float) -> Planted:
    """A cause by firing stands four times, but for a little noise: one finding, not four."""
    on = _fires(world)
    value = on * heavy(world.rng, world.n)
    columns = [
        _put(world, value * np.exp(world.rng.normal(0, 0.05, world.n)), place) for place in range(4)
    ]
    failed = _drawn(world, FIRING[strength] * on, rate)
    return assemble(world, "duplicates", "cause", failed, columns)


@_kind
def forgiven(world: World, strength: Strength, rate: float) -> Planted:
    """A cause by firing; most of its failures name the answer later, by chance."""
    on = _fires(world)
    column = _put(world, on * heavy(world.rng, world.n))
    failed = _drawn(world, FIRING[strength] * on, rate)
    later = world.rng.random(world.n) < 0.85
    return assemble(world, "forgiven", "cause", failed, [column], generated=_said(failed, later))


# what stands for something else


@_kind
def token_proxy(world: World, strength: Strength, rate: float) -> Planted:
    """A feature fires exactly where an object stands that causes failure."""
    at = _at(world, "object")
    column = _put(world, at * heavy(world.rng, world.n))
    failed = _drawn(world, OBJECT[strength] * at, rate)
    return assemble(world, "token_proxy", "proxy", failed, [column])


@_kind
def noisy_proxy(world: World, strength: Strength, rate: float) -> Planted:
    """As `token_proxy`, with misses and false alarms."""
    at = _at(world, "object")
    on = np.where(at, world.rng.random(world.n) > 0.12, world.rng.random(world.n) < 0.04)
    column = _put(world, on * heavy(world.rng, world.n))
    failed = _drawn(world, OBJECT[strength] * at, rate)
    return assemble(world, "noisy_proxy", "proxy", failed, [column])


@_kind
def union_proxy(world: World, strength: Strength, rate: float) -> Planted:
    """A feature fires exactly at three objects, of which each causes failure."""
    at = _at(world, "object", 3)
    column = _put(world, at * heavy(world.rng, world.n))
    failed = _drawn(world, OBJECT[strength] * at, rate)
    return assemble(world, "union_proxy", "proxy", failed, [column])


@_kind
def confound(world: World, strength: Strength, rate: float) -> Planted:
    """An object causes failure, and makes a dense feature stronger."""
    at = _at(world, "object", 2)
    column = _put(world, np.maximum(5 + 1.5 * at + world.rng.normal(size=world.n), 0.01))
    failed = _drawn(world, OBJECT[strength] * at, rate)
    return assemble(world, "confound", "proxy", failed, [column])


@_kind
def numeric(world: World, strength: Strength, rate: float) -> Planted:
    """Failure grows with the length, which is given as a factor; a feature follows the length."""
    z = standard(world.factors["length"].astype(float))
    column = _put(world, np.maximum(2 + 1.5 * z + 0.5 * world.rng.normal(size=world.n), 0))
    failed = _drawn(world, 0.75 * GRADED[strength] * z, rate)
    given = ("object", "place", "template", "length")
    return assemble(world, "numeric", "proxy", failed, [column], given=given)


@_kind
def and_cell(world: World, strength: Strength, rate: float) -> Planted:
    """Two objects in two templates fail; a feature copies that cell, with noise."""
    at = _at(world, "object", 2) & _at(world, "template", 2)
    on = np.where(at, world.rng.random(world.n) > 0.08, world.rng.random(world.n) < 0.02)
    column = _put(world, on * heavy(world.rng, world.n))
    failed = _drawn(world, 1.3 * OBJECT[strength] * at, rate)
    return assemble(world, "and_cell", "proxy", failed, [column])


@_kind
def scoring_artefact(world: World, strength: Strength, rate: float) -> Planted:
    """A feature makes answers that the scoring takes for wrong, and name the answer later."""
    on = _fires(world)
    column = _put(world, on * heavy(world.rng, world.n))
    misscored = _drawn(world, FIRING[strength] * on, 0.7 * rate)
    real = world.rng.random(world.n) < 0.3 * rate
    generated = _said(misscored | real, misscored & ~real)
    return assemble(
        world, "scoring_artefact", "artefact", misscored | real, [column], generated=generated
    )


def _said(failed: np.ndarray, later: np.ndarray) -> list[str]:
    """Continuations: a failure names the target later, or never."""
    wrong = {True: " the garden. Zed was glad", False: " the garden. They were glad"}
    return [wrong[bool(b)] if a else " Zed" for a, b in zip(failed, later, strict=True)]


# nulls


@_kind
def null_independent(world: World, strength: Strength, rate: float) -> Planted:
    """Failure has nothing to do with anything."""
    failed = world.rng.random(world.n) < rate
    return assemble(world, "null_independent", "null", failed, [])


@_kind
def null_factor(world: World, strength: Strength, rate: float) -> Planted:
    """An object causes failure; no feature copies a factor or knows of one."""
    world.values[:, list(world.copies)] = 0
    failed = _drawn(world, OBJECT[strength] * _at(world, "object"), rate)
    return assemble(world, "null_factor", "null", failed, [])


@_kind
def null_grouped(world: World, strength: Strength, rate: float) -> Planted:
    """Six prompts each are about one document: failure goes with it, and so do many features."""
    document = np.arange(world.n) // 6
    count = int(document.max()) + 1
    for column in range(world.free // 2):
        share = (world.rng.random(count) < 0.35)[document]
        world.values[:, column] = share * heavy(world.rng, count)[document]
    failed = _drawn(world, world.rng.normal(0, 1.5, count)[document], rate)
    groups = {"document": [f"d{i}" for i in document]}
    return assemble(world, "null_grouped", "null", failed, [], groups=groups)


@_kind
def null_named(world: World, strength: Strength, rate: float) -> Planted:
    """The name decides part of the outcome; features read names. Names are declared as groups."""
    column = "name" if "name" in world.factors else "indirect_object"
    names, of = np.unique(world.factors[column], return_inverse=True)
    for j in range(world.free // 3):
        world.values[:, j] = (world.rng.random(len(names)) < 0.3)[of] * heavy(world.rng, world.n)
    failed = _drawn(world, world.rng.normal(0, 1.0, len(names))[of], rate)
    groups = {column: world.factors[column].tolist()}
    return assemble(world, "null_named", "null", failed, [], groups=groups)


@_kind
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


@_kind
def collider(world: World, strength: Strength, rate: float) -> Planted:
    """A feature does nothing; a factor that is given is a consequence of it and of failure."""
    on = _fires(world, 0.3)
    column = _put(world, on * heavy(world.rng, world.n))
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
    return assemble(world, "collider", "null", failed, [column], given=given)
