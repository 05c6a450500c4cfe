"""The method study: every claim of a profile under every combination of its choices.

From one extraction: the corpus goes through the model once, and each specification pools, scales,
scores and tests what was read. A claim that holds only under some specifications is a claim about
these. References: Steegen et al. (2016); for the curve Simonsohn et al. (2020).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix, diags

from faultlens.corpus.texts import Corpus
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.features.reading import Long
from faultlens.profile.chance import auroc_null, random_labellings, score_null
from faultlens.profile.choices import choices
from faultlens.profile.extraction import Pooled, read_ways
from faultlens.profile.measures import DEFAULT_PERCENTILE, SiteMeasures
from faultlens.profile.result import Multiverse, MultiverseClaim, Specification
from faultlens.profile.specifications import (
    PERCENTILES,
    RULES,
    Way,
    is_default,
    specifications,
    way_of,
    ways,
)
from faultlens.progress import Progress
from faultlens.stats.label_null import permutation_p
from faultlens.stats.multiplicity import holm

Key = tuple[Way, bool, float | None, str | None]
"""What tells the outcomes of specifications apart: way, relative, percentile, rule."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """One measure under one specification, `[categories, sites]` each."""

    values: np.ndarray  # of the best feature
    beyond: np.ndarray  # whether it is beyond chance
    features: np.ndarray  # its index; −1 where nothing fires


def check_choices(threshold: float | None, length_strata: int | None) -> None:
    """Raises UserError for a choice that the method study does not keep: it tries its own."""
    for name, given in (("--threshold", threshold), ("--length-strata", length_strata)):
        if given is not None:
            raise UserError(
                f"the method study (--multiverse) tries its own thresholds and shuffles among all "
                f"texts: leave out {name}, or run it by itself"
            )


def method_study(
    lens: Lens,
    corpus: Corpus,
    *,
    pooling: str,
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
        pooling: of the default specification; added to the poolings tried if it is not among them.
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
    tick = progress.start("Reading in every way", len(corpus))
    read = read_ways(lens, corpus.texts, distinct, long, tick)
    tests = _Tests.of(corpus, permutations, seed, top_k, alpha)
    tick = progress.start("Testing specifications", 2 * len(distinct))
    outcomes: dict[Key, Outcome] = {}
    for way, by_site in read.items():
        for relative in (False, True):
            sites = [_measures(pooled, relative) for pooled in by_site.values()]
            for (percentile, rule), outcome in tests.outcomes(sites):
                outcomes[way, relative, percentile, rule] = outcome
            tick(1)
    specs = specifications(distinct)
    found = {by: [outcomes[_key(spec)] for spec in of_by] for by, of_by in specs.items()}
    default = {
        by: next(i for i, spec in enumerate(of_by) if is_default(spec, pooling, DEFAULT_PERCENTILE))
        for by, of_by in specs.items()
    }
    claims = [
        _claim(category, row, by, specs[by], found[by], default[by])
        for by in specs
        for row, category in enumerate(corpus.categories)
    ]
    return Multiverse(permutations, specs, default, claims, choices(specs, found, default))


@dataclass(frozen=True, eq=False)
class _Tests:
    """What every specification is tested with: the true groups and the random ones."""

    inside: Mapping[str, np.ndarray]
    groups: Sequence[tuple[Sequence[str], np.ndarray]]
    top_k: int
    alpha: float

    @classmethod
    def of(cls, corpus: Corpus, permutations: int, seed: int, top_k: int, alpha: float) -> _Tests:
        labels = np.array(corpus.labels)
        inside = {category: labels == category for category in corpus.categories}
        groups = list(random_labellings(corpus, permutations, seed, None))
        return cls(inside, groups, top_k, alpha)

    def outcomes(
        self, sites: Sequence[SiteMeasures]
    ) -> Iterator[tuple[tuple[float | None, str | None], Outcome]]:
        """Both measures under every threshold and rule, for tables read in one way."""
        best = [[self._most_selective(site, mask) for site in sites] for mask in self._masks]
        yield (None, None), self._outcome(best, sites, [self._nulls(site, None) for site in sites])
        for percentile in PERCENTILES:
            cut = [_cut(site, percentile) for site in sites]
            nulls = [self._nulls(site, percentile) for site in cut]
            for rule in RULES:
                scored = [[self._scored(site, mask, rule) for site in cut] for mask in self._masks]
                yield (percentile, rule), self._outcome(scored, cut, nulls)

    @property
    def _masks(self) -> list[np.ndarray]:
        return list(self.inside.values())

    def _nulls(self, site: SiteMeasures, percentile: float | None) -> dict[str, np.ndarray]:
        """The null of each category: of the score with a percentile, of AUROC without."""
        nulls: dict[str, np.ndarray] = {}
        for categories, members in self.groups:
            if not len(site.columns):
                null = np.zeros(len(members))
            elif percentile is None:
                null = auroc_null(site, members)
            else:
                null = score_null(site, members)
            nulls.update(dict.fromkeys(categories, null))
        return nulls

    def _most_selective(self, site: SiteMeasures, mask: np.ndarray) -> tuple[int, float]:
        if not len(site.columns):
            return -1, 0.0
        best = site.best(site.selectivity(mask), mask)
        return int(site.columns[best.column]), best.value

    def _scored(self, site: SiteMeasures, mask: np.ndarray, rule: str) -> tuple[int, float]:
        if not len(site.columns):
            return -1, 0.0
        score = site.score(mask)
        column = (
            site.shortlist(mask, self.top_k)
            if rule == "shortlist"
            else site.best(score, mask).column
        )
        return int(site.columns[column]), float(score[column])

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
    return way_of(spec).canonical, spec.relative, spec.percentile, spec.rule


def _measures(pooled: Pooled, relative: bool) -> SiteMeasures:
    matrix = pooled.matrix
    if relative:
        matrix = csr_matrix(diags(1 / np.maximum(pooled.norms, 1e-30)) @ matrix, dtype=np.float32)
    columns = np.unique(matrix.indices[matrix.data > 0])
    return SiteMeasures(columns, matrix[:, columns].toarray(), threshold=0.0)


def _cut(site: SiteMeasures, percentile: float) -> SiteMeasures:
    """The same values with the threshold at a percentile of the positive ones."""
    positive = site.values[site.values > 0]
    height = float(np.percentile(positive, percentile)) if len(positive) else 0.0
    return replace(site, threshold=height)


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
