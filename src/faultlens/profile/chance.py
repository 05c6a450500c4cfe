"""Beyond chance or not: each category's best feature against the best under random labels.

The family of the correction (Holm) is, for each measure by itself, all categories at all sites.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from faultlens.corpus.texts import Corpus
from faultlens.profile.measures import Best, SiteMeasures
from faultlens.progress import Progress
from faultlens.stats.label_null import max_null, permutation_p, random_groups
from faultlens.stats.multiplicity import holm

Cell = tuple[str, str]
"""A site's name and a category."""


@dataclass(frozen=True)
class Tested:
    """A category's best feature by one measure, and its p under random labels."""

    best: Best
    p_value: float
    p_holm: float


@dataclass(frozen=True, eq=False)
class Null:
    """The best of all features under each random labelling, `[permutations]`."""

    auroc: np.ndarray
    score: np.ndarray


@dataclass(frozen=True)
class Chance:
    """The tests of every category at every site, by AUROC and by score."""

    auroc: dict[Cell, Tested]
    score: dict[Cell, Tested]


def against_chance(
    measures: Mapping[str, SiteMeasures],
    corpus: Corpus,
    permutations: int,
    seed: int,
    progress: Progress,
) -> Chance:
    """Test each category's best feature at each site, by both measures."""
    labels = np.array(corpus.labels)
    tick = progress.start("Shuffling labels", len(measures))
    auroc: dict[Cell, tuple[Best, float]] = {}
    score: dict[Cell, tuple[Best, float]] = {}
    for name, site in measures.items():
        nulls = _nulls(site, corpus, permutations, seed)
        for category, size in corpus.sizes.items():
            inside, null = labels == category, nulls[size]
            selective = site.best(site.selectivity(inside), inside)
            specialist = site.best(site.score(inside), inside)
            auroc[name, category] = selective, permutation_p(null.auroc, selective.value)
            score[name, category] = specialist, permutation_p(null.score, specialist.value)
        tick(1)
    return Chance(_corrected(auroc), _corrected(score))


def _corrected(found: Mapping[Cell, tuple[Best, float]]) -> dict[Cell, Tested]:
    """Holm over one family: a measure's claims for all categories at all sites."""
    adjusted = holm(np.array([p_value for _, p_value in found.values()])).tolist()
    return {
        cell: Tested(best, p_value, p_holm)
        for (cell, (best, p_value)), p_holm in zip(found.items(), adjusted, strict=True)
    }


def _nulls(site: SiteMeasures, corpus: Corpus, permutations: int, seed: int) -> dict[int, Null]:
    """One null for each size that a category has: it serves all categories of that size."""
    n, features = site.values.shape
    nulls = {}
    for size in sorted(set(corpus.sizes.values())):
        rng = np.random.default_rng([seed, size])
        groups = random_groups(n, size, permutations, rng)
        pairs = size * (n - size)
        nulls[size] = Null(
            auroc=max_null(
                site.ranks, 1 / pairs, np.full(features, -(size + 1) / (2 * (n - size))), groups
            ),
            score=max_null(site.above, 2.0, -site.above.sum(axis=0), groups),
        )
    return nulls
