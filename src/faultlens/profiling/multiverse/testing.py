"""Testing: each category's best feature under one way of reading, and whether it beats chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from faultlens.corpus.texts import Corpus
from faultlens.profiling.chance import auroc_null, random_labellings, score_null
from faultlens.profiling.measures import SiteMeasures
from faultlens.profiling.multiverse.specifications import (
    PERCENTILES,
    RULES,
    SHORTLIST,
    Threshold,
    thresholds,
)
from faultlens.stats.label_null import permutation_p
from faultlens.stats.multiplicity import holm

Found = tuple[int, float]
"""A feature's index, −1 where nothing fires, and its AUROC or score."""


@dataclass(frozen=True, eq=False)
class BestFeatures:
    """The best feature of each category at each site by one measure, `[categories, sites]` each.

    Attributes:
        values: its AUROC or score.
        beyond: whether that is beyond chance, after Holm over categories × sites.
        features: its index; −1 where nothing fires.
    """

    values: np.ndarray
    beyond: np.ndarray
    features: np.ndarray


@dataclass(frozen=True, eq=False)
class ClaimTests:
    """The true groups and the random ones: the same for every specification.

    Attributes:
        inside: by category, which texts are in it, boolean `[texts]`.
        groups: random groups `[permutations, texts]`, each with the categories it is the null of.
        threshold: τ that was asked for; None: percentiles alone are tried.
        top_k: of the shortlist rule.
        alpha: a feature is beyond chance at a p-value ≤ alpha, after Holm.
    """

    inside: Mapping[str, np.ndarray]
    groups: Sequence[tuple[Sequence[str], np.ndarray]]
    threshold: float | None
    top_k: int
    alpha: float

    @classmethod
    def of(
        cls,
        corpus: Corpus,
        strata: np.ndarray | None,
        permutations: int,
        seed: int,
        *,
        threshold: float | None,
        top_k: int,
        alpha: float,
    ) -> ClaimTests:
        labels = np.array(corpus.labels)
        inside = {category: labels == category for category in corpus.categories}
        groups = list(random_labellings(corpus, permutations, seed, strata))
        return cls(inside, groups, threshold, top_k, alpha)

    def by_auroc(self, sites: Sequence[SiteMeasures]) -> BestFeatures:
        """The most selective features of tables that were read in one way."""
        best = [[_most_selective(s, mask) for s in sites] for mask in self.inside.values()]
        nulls = [
            self._auroc_nulls(site, [row[place][1] for row in best])
            for place, site in enumerate(sites)
        ]
        return self._tested(best, nulls)

    def by_score(
        self, sites: Sequence[SiteMeasures], scales: Sequence[float]
    ) -> Iterator[tuple[Threshold, str, BestFeatures]]:
        """The best specialists of the same tables, under every threshold and rule.

        Args:
            sites: the tables.
            scales: what one unit of activation is in each of them.
        """
        masks = list(self.inside.values())
        leaders = [[site.leaders(mask, self.top_k) for site in sites] for mask in masks]
        percentiles = _percentiles(sites)
        for threshold in thresholds(self.threshold):
            percentile, asked = threshold
            heights = (
                percentiles[percentile]
                if percentile is not None
                else [float(asked or 0.0) * scale for scale in scales]
            )
            cut = [replace(s, threshold=h) for s, h in zip(sites, heights, strict=True)]
            nulls = [self._score_nulls(site) for site in cut]
            scores = [[site.score(mask) for site in cut] for mask in masks]
            for rule in RULES:
                best = [
                    [
                        _highest(site, mask, score, among if rule == SHORTLIST else None)
                        for site, score, among in zip(cut, of_mask, leading, strict=True)
                    ]
                    for mask, of_mask, leading in zip(masks, scores, leaders, strict=True)
                ]
                yield threshold, rule, self._tested(best, nulls)

    def _auroc_nulls(self, site: SiteMeasures, observed: Sequence[float]) -> dict[str, np.ndarray]:
        """The null of each category's AUROC, exact only where it reaches an observed one."""
        of_category = dict(zip(self.inside, observed, strict=True))
        nulls: dict[str, np.ndarray] = {}
        for categories, members in self.groups:
            least = min(of_category[category] for category in categories)
            null = auroc_null(site, members, least) if len(site.columns) else np.zeros(len(members))
            nulls.update(dict.fromkeys(categories, null))
        return nulls

    def _score_nulls(self, site: SiteMeasures) -> dict[str, np.ndarray]:
        nulls: dict[str, np.ndarray] = {}
        for categories, members in self.groups:
            null = score_null(site, members) if len(site.columns) else np.zeros(len(members))
            nulls.update(dict.fromkeys(categories, null))
        return nulls

    def _tested(
        self, best: Sequence[Sequence[Found]], nulls: Sequence[Mapping[str, np.ndarray]]
    ) -> BestFeatures:
        """The best features `[categories][sites]` against the null of each site and category."""
        values = np.array([[value for _, value in row] for row in best])
        p_values = [
            permutation_p(nulls[place][category], values[row, place])
            for row, category in enumerate(self.inside)
            for place in range(len(nulls))
        ]
        return BestFeatures(
            values=values,
            beyond=holm(np.array(p_values)).reshape(values.shape) <= self.alpha,
            features=np.array([[feature for feature, _ in row] for row in best]),
        )


def _most_selective(site: SiteMeasures, mask: np.ndarray) -> Found:
    if not len(site.columns):
        return -1, 0.0
    best = site.best(site.selectivity(mask), mask)
    return int(site.columns[best.column]), best.value


def _highest(
    site: SiteMeasures, mask: np.ndarray, score: np.ndarray, among: np.ndarray | None
) -> Found:
    """The feature with the best score, of all or of a shortlist."""
    if not len(site.columns):
        return -1, 0.0
    column = site.best(score, mask).column if among is None else among[np.argmax(score[among])]
    return int(site.columns[column]), float(score[column])


def _percentiles(sites: Sequence[SiteMeasures]) -> dict[float, list[float]]:
    """Each percentile of every site's positive values; 0 where nothing fires."""
    found = []
    for site in sites:
        positive = site.values[site.values > 0]
        heights = (
            np.percentile(positive, PERCENTILES) if len(positive) else np.zeros(len(PERCENTILES))
        )
        found.append(heights.tolist())
    return {
        percentile: list(heights)
        for percentile, heights in zip(PERCENTILES, zip(*found, strict=True), strict=True)
    }
