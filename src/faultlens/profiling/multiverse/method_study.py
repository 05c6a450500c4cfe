"""The method study: which claims of a profile hold under which combinations of its choices.

The corpus goes through the model once; each specification pools, scales, scores and tests what was
read. A claim that holds only under some specifications is a claim about these. References: Steegen
et al. (2016); for the curve Simonsohn et al. (2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from faultlens.corpus.texts import Corpus
from faultlens.features.lens import Lens
from faultlens.features.store import ActivationStore
from faultlens.profiling.config import ProfileConfig
from faultlens.profiling.measures import DEFAULT_PERCENTILE, SiteMeasures
from faultlens.profiling.multiverse.choices import choices
from faultlens.profiling.multiverse.extraction import BATCH, Extraction, Pooled, extract
from faultlens.profiling.multiverse.specifications import (
    Threshold,
    Way,
    is_default,
    specifications,
    way_of,
    ways,
)
from faultlens.profiling.multiverse.testing import BestFeatures, ClaimTests
from faultlens.profiling.result import Multiverse, MultiverseClaim, Specification
from faultlens.progress import Progress

Key = tuple[Way, bool, Threshold, str | None]
"""Tells specifications apart: way of reading, relative or not, threshold, rule."""


def method_study(
    lens: Lens,
    corpus: Corpus,
    activations: ActivationStore,
    config: ProfileConfig,
    *,
    strata: np.ndarray | None,
    permutations: int,
    progress: Progress,
) -> Multiverse:
    """Which claims of the profile hold under which specifications.

    Args:
        lens: a model and its dictionaries.
        corpus: the texts and their categories.
        activations: of their tokens, as the lens reads them.
        config: how the profile is made, which is the default specification. Its pooling is added to
            those tried if it is not among them; its threshold is tried beside the percentiles, and
            relative to the norm it is divided by a site's mean norm.
        strata: labels are shuffled only within them, whole numbers `[texts]`; None: among all.
        permutations: random labellings behind each p-value, the same for every specification.
        progress: told of the stages.

    Raises:
        UserError: a text does not fit into the context, and `config.long` is not `truncate`.
    """
    pooling, threshold = config.reading.pooling, config.measures.threshold
    every = ways(pooling, lens.dictionaries[0].convention.prepend_bos)
    distinct = list(dict.fromkeys(way.canonical for way in every))
    tick = progress.start("Reading padding", len(corpus))
    read = extract(lens, corpus.texts, activations, distinct, config.long, tick)
    tests = ClaimTests.of(
        corpus,
        strata,
        permutations,
        config.seed,
        threshold=threshold,
        top_k=config.measures.top_k,
        alpha=config.alpha,
    )
    tested = _tested(read, distinct, tests, progress)
    specs = specifications(distinct, threshold)
    best_of = {by: [tested[_key(spec)] for spec in of_by] for by, of_by in specs.items()}
    default = {by: _default(of_by, pooling, threshold) for by, of_by in specs.items()}
    return Multiverse(
        permutations=permutations,
        specifications=specs,
        default=default,
        claims=[
            _claim(category, row, by, specs[by], best_of[by], default[by])
            for by in specs
            for row, category in enumerate(corpus.categories)
        ],
        choices=choices(specs, best_of, default),
        padded_together=BATCH,
    )


def _tested(
    read: Extraction, ways: Sequence[Way], tests: ClaimTests, progress: Progress
) -> dict[Key, BestFeatures]:
    """The best features under every specification."""
    tick = progress.start("Testing specifications", 2 * len(ways))
    tested: dict[Key, BestFeatures] = {}
    for way in ways:
        by_site = read.pooled(way)
        for relative in (False, True):
            sites = [_measures(pooled, relative) for pooled in by_site.values()]
            tested[way, relative, (None, None), None] = tests.by_auroc(sites)
            for cut, rule, best in tests.by_score(sites, _scales(by_site, relative)):
                tested[way, relative, cut, rule] = best
            tick(1)
    return tested


def _default(specs: Sequence[Specification], pooling: str, threshold: float | None) -> int:
    """The place of the specification that the profile itself follows."""
    return next(
        place
        for place, spec in enumerate(specs)
        if is_default(spec, pooling, DEFAULT_PERCENTILE, threshold)
    )


def _key(spec: Specification) -> Key:
    return way_of(spec).canonical, spec.relative, (spec.percentile, spec.threshold), spec.rule


def _measures(pooled: Pooled, relative: bool) -> SiteMeasures:
    values = pooled.values
    if relative:
        scale = 1 / np.maximum(pooled.norms, 1e-30)
        values = (values * scale[:, None]).astype(np.float32)
    return SiteMeasures(pooled.columns, values, threshold=0.0)


def _scales(by_site: Mapping[str, Pooled], relative: bool) -> list[float]:
    """What one unit of activation is in each table: 1, or 1 over the site's mean norm."""
    return [1 / max(float(p.norms.mean()), 1e-30) if relative else 1.0 for p in by_site.values()]


def _claim(
    category: str,
    row: int,
    by: str,
    specs: Sequence[Specification],
    best: Sequence[BestFeatures],
    default: int,
) -> MultiverseClaim:
    holds = [bool(features.beyond[row].any()) for features in best]
    sound = [held for held, spec in zip(holds, specs, strict=True) if spec.sound]
    return MultiverseClaim(
        category=category,
        by=by,
        by_default=holds[default],
        share=float(np.mean(holds)),
        share_sound=float(np.mean(sound)),
        holds=holds,
        values=[float(features.values[row].max()) for features in best],
    )
