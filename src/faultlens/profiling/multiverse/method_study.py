"""The method study: every claim of a profile under every combination of its choices.

From one extraction: the corpus goes through the model once, and each specification pools, scales,
scores and tests what was read. A claim that holds only under some specifications is a claim about
these. References: Steegen et al. (2016); for the curve Simonsohn et al. (2020).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from faultlens.corpus.texts import Corpus
from faultlens.features.lens import Lens
from faultlens.features.store import ActivationStore
from faultlens.features.text_tokens import Long
from faultlens.profiling.chance import auroc_null, random_labellings, score_null
from faultlens.profiling.measures import DEFAULT_PERCENTILE, SiteMeasures
from faultlens.profiling.multiverse.choices import choices
from faultlens.profiling.multiverse.extraction import BATCH, Pooled, extract
from faultlens.profiling.multiverse.specifications import (
    PERCENTILES,
    RULES,
    Threshold,
    Way,
    is_default,
    specifications,
    thresholds,
    way_of,
    ways,
)
from faultlens.profiling.result import Multiverse, MultiverseClaim, Specification
from faultlens.progress import Progress
from faultlens.stats.label_null import permutation_p
from faultlens.stats.multiplicity import holm

Key = tuple[Way, bool, Threshold, str | None]
"""What tells the outcomes of specifications apart: way, relative, threshold, rule."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """One measure under one specification, `[categories, sites]` each."""

    values: np.ndarray  # of the best feature
    beyond: np.ndarray  # whether it is beyond chance
    features: np.ndarray  # its index; −1 where nothing fires


def method_study(
    lens: Lens,
    corpus: Corpus,
    store: ActivationStore,
    *,
    pooling: str,
    threshold: float | None,
    strata: np.ndarray | None,
    top_k: int,
    permutations: int,
    seed: int,
    alpha: float,
    long: Long,
    progress: Progress,
) -> Multiverse:
    """Which claims of the profile hold under which specifications.

    Args:
        lens: a model and its dictionaries.
        corpus: the texts and their categories.
        store: what fires on their tokens, as the lens reads them.
        pooling: of the default specification; added to the poolings tried if it is not among them.
        threshold: τ of the default specification, tried beside the percentiles; relative to the
            norm it is divided by a site's mean norm. None: the default is a percentile.
        strata: labels are shuffled only within them, whole numbers `[texts]`; None: among all.
        top_k: of the shortlist rule.
        permutations: random labellings behind each p-value, the same for every specification.
        seed: of the labellings.
        alpha: a claim holds at p ≤ alpha, after Holm over categories × sites.
        long: what to do with a text longer than the context.
        progress: told of the stages.

    Raises:
        UserError: a text does not fit into the context, and `long` is not `truncate`.
    """
    every = ways(pooling, lens.dictionaries[0].convention.prepend_bos)
    distinct = list(dict.fromkeys(way.canonical for way in every))
    tick = progress.start("Reading padding", len(corpus))
    read = extract(lens, corpus.texts, store, distinct, long, tick)
    tests = _Tests.of(corpus, threshold, strata, permutations, seed, top_k, alpha)
    tick = progress.start("Testing specifications", 2 * len(distinct))
    outcomes: dict[Key, Outcome] = {}
    for way in distinct:
        by_site = read.pooled(way)
        for relative in (False, True):
            sites = [_measures(pooled, relative) for pooled in by_site.values()]
            for (cut, rule), outcome in tests.outcomes(sites, _scales(by_site, relative)):
                outcomes[way, relative, cut, rule] = outcome
            tick(1)
    specs = specifications(distinct, threshold)
    found = {by: [outcomes[_key(spec)] for spec in of_by] for by, of_by in specs.items()}
    default = {
        by: next(
            i
            for i, spec in enumerate(of_by)
            if is_default(spec, pooling, DEFAULT_PERCENTILE, threshold)
        )
        for by, of_by in specs.items()
    }
    claims = [
        _claim(category, row, by, specs[by], found[by], default[by])
        for by in specs
        for row, category in enumerate(corpus.categories)
    ]
    found_choices = choices(specs, found, default)
    return Multiverse(permutations, specs, default, claims, found_choices, padded_together=BATCH)


@dataclass(frozen=True, eq=False)
class _Tests:
    """What every specification is tested with: the true groups and the random ones."""

    inside: Mapping[str, np.ndarray]
    groups: Sequence[tuple[Sequence[str], np.ndarray]]
    threshold: float | None
    top_k: int
    alpha: float

    @classmethod
    def of(
        cls,
        corpus: Corpus,
        threshold: float | None,
        strata: np.ndarray | None,
        permutations: int,
        seed: int,
        top_k: int,
        alpha: float,
    ) -> _Tests:
        labels = np.array(corpus.labels)
        inside = {category: labels == category for category in corpus.categories}
        groups = list(random_labellings(corpus, permutations, seed, strata))
        return cls(inside, groups, threshold, top_k, alpha)

    def outcomes(
        self, sites: Sequence[SiteMeasures], scales: Sequence[float]
    ) -> Iterator[tuple[tuple[Threshold, str | None], Outcome]]:
        """Both measures under every threshold and rule, for tables read in one way.

        `scales` is what one unit of activation is in each table.
        """
        masks = list(self.inside.values())
        best = [[_most_selective(site, mask) for site in sites] for mask in masks]
        nulls = [
            self._auroc_nulls(site, [row[place][1] for row in best])
            for place, site in enumerate(sites)
        ]
        yield ((None, None), None), self._outcome(best, sites, nulls)
        leaders = [[site.leaders(mask, self.top_k) for site in sites] for mask in masks]
        percentiles = _percentiles(sites)
        for threshold in thresholds(self.threshold):
            percentile, asked = threshold
            heights = (
                percentiles[percentile]
                if percentile is not None
                else [float(asked or 0.0) * scale for scale in scales]
            )
            cut = [
                replace(site, threshold=height) for site, height in zip(sites, heights, strict=True)
            ]
            nulls = [self._score_nulls(site) for site in cut]
            scores = [[site.score(mask) for site in cut] for mask in masks]
            for rule in RULES:
                scored = [
                    [
                        _highest(site, mask, score, among if rule == "shortlist" else None)
                        for site, score, among in zip(cut, of_mask, leading, strict=True)
                    ]
                    for mask, of_mask, leading in zip(masks, scores, leaders, strict=True)
                ]
                yield (threshold, rule), self._outcome(scored, cut, nulls)

    def _auroc_nulls(self, site: SiteMeasures, observed: Sequence[float]) -> dict[str, np.ndarray]:
        """The null of each category's AUROC, told apart only where it reaches an observed one."""
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

    def _outcome(
        self,
        found: Sequence[Sequence[tuple[int, float]]],
        sites: Sequence[SiteMeasures],
        nulls: Sequence[Mapping[str, np.ndarray]],
    ) -> Outcome:
        values = np.array([[value for _, value in row] for row in found])
        p = [
            permutation_p(nulls[place][category], values[row, place])
            for row, category in enumerate(self.inside)
            for place in range(len(sites))
        ]
        return Outcome(
            values=values,
            beyond=holm(np.array(p)).reshape(values.shape) <= self.alpha,
            features=np.array([[feature for feature, _ in row] for row in found]),
        )


def _key(spec: Specification) -> Key:
    return way_of(spec).canonical, spec.relative, (spec.percentile, spec.threshold), spec.rule


def _measures(pooled: Pooled, relative: bool) -> SiteMeasures:
    values = pooled.values
    if relative:
        scale = 1 / np.maximum(pooled.norms, 1e-30)
        values = (values * scale[:, None]).astype(np.float32)
    return SiteMeasures(pooled.columns, values, threshold=0.0)


def _most_selective(site: SiteMeasures, mask: np.ndarray) -> tuple[int, float]:
    """The most selective feature and its AUROC; −1 where nothing fires."""
    if not len(site.columns):
        return -1, 0.0
    best = site.best(site.selectivity(mask), mask)
    return int(site.columns[best.column]), best.value


def _highest(
    site: SiteMeasures, mask: np.ndarray, score: np.ndarray, among: np.ndarray | None
) -> tuple[int, float]:
    """The feature with the best score, of all or of a shortlist; −1 where nothing fires."""
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


def _scales(by_site: Mapping[str, Pooled], relative: bool) -> list[float]:
    """What one unit of activation is in each table: 1, or 1 over the site's mean norm."""
    return [1 / max(float(p.norms.mean()), 1e-30) if relative else 1.0 for p in by_site.values()]


def _claim(
    category: str,
    row: int,
    by: str,
    specs: Sequence[Specification],
    outcomes: Sequence[Outcome],
    default: int,
) -> MultiverseClaim:
    holds = [bool(outcome.beyond[row].any()) for outcome in outcomes]
    sound = [held for held, spec in zip(holds, specs, strict=True) if spec.sound]
    return MultiverseClaim(
        category=category,
        by=by,
        by_default=holds[default],
        share=float(np.mean(holds)),
        share_sound=float(np.mean(sound)),
        holds=holds,
        values=[float(outcome.values[row].max()) for outcome in outcomes],
    )
