"""Whether each category's best feature beats the best of all features under random labels.

Each measure is corrected by itself, with Holm over all categories at all sites.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from faultlens.corpus.texts import Corpus
from faultlens.profiling.measures import Best, SiteMeasures
from faultlens.progress import Progress
from faultlens.stats.label_null import (
    max_null,
    permutation_p,
    random_sets,
    random_sets_within,
)
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
class LabelNull:
    """The best of all features under each random labelling, by each measure; `[permutations]`."""

    auroc: np.ndarray
    score: np.ndarray


@dataclass(frozen=True)
class ChanceTests:
    """The tests of every category at every site, by AUROC and by score."""

    auroc: dict[Cell, Tested]
    score: dict[Cell, Tested]


LabelNulls = Mapping[str, Mapping[str, LabelNull]]
"""By site and category; categories of one size share theirs."""


def draw_nulls(
    measures: Mapping[str, SiteMeasures],
    corpus: Corpus,
    permutations: int,
    seed: int,
    progress: Progress,
    strata: np.ndarray | None = None,
) -> LabelNulls:
    """The null of each category at each site, from `permutations` random labellings.

    A category's null depends on its size alone, so that categories of one size share theirs. With
    `strata [n]` (whole numbers) labels are shuffled only among texts of one stratum, and each
    category has a null of its own.
    """
    drawn = len(corpus.categories if strata is not None else set(corpus.sizes.values()))
    tick = progress.start("Shuffling labels", drawn * len(measures))
    nulls: dict[str, dict[str, LabelNull]] = {name: {} for name in measures}
    for categories, members in random_labellings(corpus, permutations, seed, strata):
        for name, site in measures.items():
            null = LabelNull(auroc_null(site, members), score_null(site, members))
            nulls[name].update(dict.fromkeys(categories, null))
            tick(1)
    return nulls


def against_chance(
    measures: Mapping[str, SiteMeasures], corpus: Corpus, nulls: LabelNulls
) -> ChanceTests:
    """Test each category's best feature at each site, by both measures."""
    labels = np.array(corpus.labels)
    auroc: dict[Cell, tuple[Best, float]] = {}
    score: dict[Cell, tuple[Best, float]] = {}
    for name, site in measures.items():
        for category in corpus.categories:
            inside, null = labels == category, nulls[name][category]
            selective = site.best(site.selectivity(inside), inside)
            specialist = site.best(site.score(inside), inside)
            auroc[name, category] = selective, permutation_p(null.auroc, selective.value)
            score[name, category] = specialist, permutation_p(null.score, specialist.value)
    return ChanceTests(_corrected(auroc), _corrected(score))


def _corrected(found: Mapping[Cell, tuple[Best, float]]) -> dict[Cell, Tested]:
    """Holm over one family: one measure's p-values for all categories at all sites."""
    adjusted = holm(np.array([p_value for _, p_value in found.values()])).tolist()
    return {
        cell: Tested(best, p_value, p_holm)
        for (cell, (best, p_value)), p_holm in zip(found.items(), adjusted, strict=True)
    }


def random_labellings(
    corpus: Corpus, permutations: int, seed: int, strata: np.ndarray | None
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Random groups, and the categories that they are the null of: those of one size, or one alone.

    Each size has a generator of its own, so that its draws do not depend on the other sizes.
    """
    labels = np.array(corpus.labels)
    if strata is not None:
        for place, category in enumerate(corpus.categories):
            rng = np.random.default_rng([seed, place, 1])
            inside = labels == category
            yield [category], random_sets_within(inside, strata, permutations, rng)
        return
    for size in sorted(set(corpus.sizes.values())):
        rng = np.random.default_rng([seed, size])
        categories = [category for category, n in corpus.sizes.items() if n == size]
        yield categories, random_sets(len(corpus), size, permutations, rng)


def auroc_null(site: SiteMeasures, members: np.ndarray, least: float = -np.inf) -> np.ndarray:
    """The best AUROC of all features under each random group, `[permutations]`.

    Values below `least` may come out lower than they are: features that reach it with no group are
    left out.
    """
    n, features = site.values.shape
    size = int(members[0].sum())
    offset = np.full(features, -(size + 1) / (2 * (n - size)))
    return max_null(site.ranks, 1 / (size * (n - size)), offset, members, least)


def score_null(site: SiteMeasures, members: np.ndarray) -> np.ndarray:
    """The best score of all features under each random group, `[permutations]`."""
    reaching = site.above.any(axis=0)
    above = site.above[:, reaching]
    found = max_null(above, 2.0, -above.sum(axis=0), members)
    return found if reaching.all() else np.maximum(found, 0.0)  # 0: nobody's text is above
