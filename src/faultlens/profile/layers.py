"""Across layers: whether a category's top feature persists, what grows with depth, what is hard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

import numpy as np
from scipy.stats import rankdata, spearmanr

from faultlens.profile.result import (
    CategoryReading,
    Difficulty,
    LayerComparison,
    LayerStep,
    SiteReading,
    Successor,
    Trend,
)

SAMPLED = 512  # earlier features whose nearest are looked up for the typical cosine

TOP: dict[str, Callable[[CategoryReading], str]] = {
    "selectivity": lambda reading: reading.selectivity.feature,
    "specialist": lambda reading: reading.specialist.feature,
    "peak": lambda reading: reading.peak.feature,
}


def by_kind(sites: Mapping[str, SiteReading]) -> dict[str, list[str]]:
    """Names of the sites that differ in their layer alone, in the order of the layers."""
    kinds: dict[str, list[tuple[int, str]]] = {}
    for name, site in sites.items():
        if site.layer is not None:
            kinds.setdefault(name.partition("-")[2], []).append((site.layer, name))
    return {kind: [name for _, name in sorted(placed)] for kind, placed in kinds.items()}


def compare_layers(
    sites: Mapping[str, SiteReading], decoders: Mapping[str, np.ndarray]
) -> LayerComparison | None:
    """Steps between neighbouring layers of one kind, and trends over all of them.

    Args:
        sites: the readings, by dictionary.
        decoders: the features' directions `[d_sae, d_in]`, by dictionary; may lack some or all.

    Returns:
        None where no kind of site has two layers.
    """
    kinds = {kind: names for kind, names in by_kind(sites).items() if len(names) > 1}
    if not kinds:
        return None
    steps = [
        _step(sites, decoders, earlier, later)
        for names in kinds.values()
        for earlier, later in pairwise(names)
    ]
    categories = next(iter(sites.values())).categories
    trends = {
        category: [
            trend
            for kind, names in kinds.items()
            for trend in _trends(sites, kind, names, category)
        ]
        for category in categories
    }
    return LayerComparison(steps, trends)


def difficulties(sites: Mapping[str, SiteReading], alpha: float) -> dict[str, Difficulty]:
    """How hard each category is to tell by one feature; see `Difficulty` for the definition."""
    names = list(sites)
    categories = list(next(iter(sites.values())).categories)
    found = {c: [sites[name].categories[c] for name in names] for c in categories}
    hardness = np.array(
        [
            1 - np.mean([max(0, r.specialist.score) / r.texts for r in readings])
            for readings in found.values()
        ]
    )
    ranks = rankdata(hardness.round(12), method="min")
    result = {}
    for place, (category, readings) in enumerate(found.items()):
        aurocs = [r.selectivity.auroc for r in readings]
        beyond = [
            name for name, r in zip(names, readings, strict=True) if r.selectivity.p_holm <= alpha
        ]
        result[category] = Difficulty(
            difficulty=float(hardness[place]),
            rank=int(ranks[place]),
            sites_by_auroc=len(beyond),
            sites_by_score=sum(r.specialist.p_holm <= alpha for r in readings),
            first_site=beyond[0] if beyond else None,
            best_auroc=max(aurocs),
            mean_auroc=float(np.mean(aurocs)),
        )
    return result


def _step(
    sites: Mapping[str, SiteReading],
    decoders: Mapping[str, np.ndarray],
    earlier: str,
    later: str,
) -> LayerStep:
    directions = None
    if earlier in decoders and later in decoders:
        first, second = _unit(decoders[earlier]), _unit(decoders[later])
        if first.shape[1] == second.shape[1]:
            directions = first, second
    found = {
        by: {
            category: _successor(top(reading), top(sites[later].categories[category]), directions)
            for category, reading in sites[earlier].categories.items()
        }
        for by, top in TOP.items()
    }
    typical = None
    if directions is not None:
        first, second = directions
        sampled = first[:: max(1, len(first) // SAMPLED)]
        typical = float(np.median((sampled @ second.T).max(axis=1)))
    return LayerStep(earlier, later, typical, **found)


def _successor(
    earlier: str, later: str, directions: tuple[np.ndarray, np.ndarray] | None
) -> Successor:
    first, second = _index(earlier), _index(later)
    if directions is None:
        return Successor(earlier, later, first == second, None, None, None, None)
    cosines = directions[1] @ directions[0][first]
    nearest = int(np.argmax(cosines))
    return Successor(
        earlier,
        later,
        first == second,
        cosine=float(cosines[second]),
        rank=1 + int((cosines > cosines[second]).sum()),
        nearest=f"{later.rpartition('/')[0]}/{nearest}",
        nearest_cosine=float(cosines[nearest]),
    )


def _trends(
    sites: Mapping[str, SiteReading], kind: str, names: list[str], category: str
) -> Iterator[Trend]:
    readings = [sites[name].categories[category] for name in names]
    layers = [int(sites[name].layer or 0) for name in names]
    yield _trend("peak", kind, layers, [r.peak.activation for r in readings])
    relative = [r.peak.relative for r in readings if r.peak.relative is not None]
    if len(relative) == len(readings):
        yield _trend("relative peak", kind, layers, relative)
    yield _trend("top sum", kind, layers, [r.top_sum for r in readings])


def _trend(quantity: str, kind: str, layers: list[int], values: list[float]) -> Trend:
    varies = len(values) > 2 and len(set(values)) > 1
    rho = float(spearmanr(layers, values).statistic) if varies else None
    ratio = values[-1] / values[0] if values[0] else None
    return Trend(quantity, kind, layers, values, rho, ratio)


def _unit(directions: np.ndarray) -> np.ndarray:
    """Rows of length 1; a row of zeros stays one."""
    norms = np.linalg.norm(directions, axis=1, keepdims=True)
    result: np.ndarray = directions / np.where(norms > 0, norms, 1.0)
    return result


def _index(feature: str) -> int:
    return int(feature.rpartition("/")[2])
