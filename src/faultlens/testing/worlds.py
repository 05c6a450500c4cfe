"""Worlds to plant in: made-up prompts with features of every sort, or `mini`'s own activations."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.stats import norm

from faultlens.testing.planted_set import World

OBJECTS = ("a drink", "the keys", "a book", "the ball", "the gift", "a card", "the bag", "a pen")
PLACES = ("the store", "the park", "the office", "the gym", "the library", "the cafe")
NAMES = tuple(f"{first}{last}" for first in "ABDEGJKLMN" for last in ("an", "el", "io"))
TEMPLATES = 4
FREE = 8  # columns left for planted features
SPARSE, DENSE, POSITION = 0.6, 0.1, 0.08  # shares of the features; the rest copy a level


def made_up(n: int, features: int, rng: np.random.Generator) -> World:
    """Prompts from four templates, and sparse, dense and positional features and copies of levels.

    Sparse features are heavy-tailed where they fire and correlated by eight hidden causes; dense
    ones fire everywhere; positional ones follow the length; copies fire with one to three levels of
    a factor, some with misses and false alarms, as features of real dictionaries do.

    Args:
        n: prompts.
        features: columns, the eight free ones included.
        rng: of everything.
    """
    factors = {
        "name": rng.choice(NAMES, n),
        "object": rng.choice(OBJECTS, n),
        "place": rng.choice(PLACES, n),
        "template": rng.integers(0, TEMPLATES, n).astype(str),
    }
    filler = rng.poisson(4, n) + 2 * (factors["template"] == "2")
    factors["length"] = 12 + filler
    texts = [
        f"T{t} {name} at {place} {'very ' * int(more)}gave {thing} to number {i}"
        for i, (t, name, place, thing, more) in enumerate(
            zip(factors["template"], factors["name"], factors["place"], factors["object"], filler,
                strict=True)
        )
    ]  # fmt: skip
    columns = features - FREE
    counts = [round(share * columns) for share in (SPARSE, DENSE, POSITION)]
    hidden = rng.normal(size=(n, 8))
    length = standard(factors["length"].astype(float))
    parts = [
        _sparse(hidden, counts[0], rng),
        np.maximum(5 + 0.5 * hidden @ rng.normal(size=(8, counts[1]))
                   + rng.normal(size=(n, counts[1])), 0),
        np.maximum(1 + length[:, None] * rng.choice([-1, 1], counts[2])
                   + 0.4 * rng.normal(size=(n, counts[2])), 0),
        _copies(factors, columns - sum(counts), rng),
        np.zeros((n, FREE)),
    ]  # fmt: skip
    copies = range(sum(counts[:2]), columns)
    return World(texts, factors, np.hstack(parts), tuple(copies), rng)


def heavy(rng: np.random.Generator, n: int) -> np.ndarray:
    """Activations where a feature fires: log-normal, `[n]`."""
    return np.asarray(np.exp(rng.normal(0.5, 0.8, n)))


def standard(values: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1."""
    result: np.ndarray = (values - values.mean()) / (values.std() or 1.0)
    return result


def _sparse(hidden: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    weights = rng.normal(size=(8, count)) * (rng.random((8, count)) < 0.3)
    shared = hidden @ weights
    shared *= rng.uniform(0, 0.95, count) / np.maximum(shared.std(axis=0), 1e-9)
    score = shared + rng.normal(size=shared.shape) * np.sqrt(np.maximum(1 - shared.var(0), 0.05))
    limit = norm.isf(np.exp(rng.uniform(np.log(0.02), np.log(0.5), count)))
    strength = np.exp(0.6 * (score - limit) + rng.normal(0, 0.5, score.shape))
    return np.where(score > limit, strength, 0.0)


def _copies(factors: dict[str, np.ndarray], count: int, rng: np.random.Generator) -> np.ndarray:
    n = len(factors["object"])
    columns = np.zeros((n, count))
    for j in range(count):
        levels = factors[rng.choice(["name", "object", "place", "template"])]
        names = np.unique(levels)
        at = np.isin(levels, rng.choice(names, rng.choice([1, 1, 1, 2, 3]), replace=False))
        missed, false = rng.choice([0, 0, 0.05, 0.15]), rng.choice([0, 0, 0.01, 0.03])
        fires = np.where(at, rng.random(n) >= missed, rng.random(n) < false)
        columns[:, j] = fires * heavy(rng, n)
    return columns


def of_mini(n: int, features: int, rng: np.random.Generator) -> World:
    """`mini`'s activations on its own task: a random choice of the features of one site.

    Args:
        n: prompts, drawn without replacement from the 1,000 that are read once.
        features: columns, the eight free ones included, of those that fire on five prompts or more.
        rng: of the choice.
    """
    texts, factors, matrix = _read_mini()
    rows = rng.choice(len(texts), n, replace=False)
    values = matrix[rows]
    able = np.flatnonzero((values > 0).sum(axis=0) >= 5)
    chosen = rng.choice(able, min(features - FREE, len(able)), replace=False)
    found = {name: levels[rows] for name, levels in factors.items()}
    copies = [j for j, column in enumerate(chosen) if _copies_a_level(values[:, column] > 0, found)]
    planted = np.hstack([values[:, chosen], np.zeros((n, FREE))])
    return World([texts[i] for i in rows], found, planted, tuple(copies), rng)


def _copies_a_level(fires: np.ndarray, factors: dict[str, np.ndarray]) -> bool:
    for levels in factors.values():
        for level in np.unique(levels):
            at = levels == level
            if (fires & at).sum() >= 0.8 * (fires | at).sum():
                return True
    return False


@lru_cache(maxsize=1)
def _read_mini() -> tuple[list[str], dict[str, np.ndarray], np.ndarray]:
    import faultlens as fl

    task = fl.tasks.mini_ioi(n=1000, seed=11)
    lens = fl.load("mini", layers=[4])
    texts = [prompt.text for prompt in task.prompts]
    (table,) = lens.read(texts).values()
    factors = {name: np.array(levels) for name, levels in task.factors.items()}
    factors["length"] = np.array([len(text.split()) for text in texts])
    return texts, factors, np.asarray(table.matrix.todense())
