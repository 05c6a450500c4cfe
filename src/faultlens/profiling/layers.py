"""Across layers: does a category's top feature persist, what grows with depth, what is hard?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
from scipy.stats import rankdata, spearmanr

from faultlens.feature_name import taken_apart
from faultlens.profiling.result import (
    Difficulty,
    LayerComparison,
    LayerStep,
    SiteReading,
    Successor,
    Trend,
)
from faultlens.profiling.result.sites import TOP_BY

MIXTURES = 500  # random directions that give the cosine expected by chance
CHANCE = 0.99  # the quantile of their cosines that a feature's must exceed
SAMPLED = 512  # earlier features sampled for the typical cosine with the nearest later one


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
    typical = chance = None
    if directions is not None:
        chance = _chance_cosine(*directions)
    found: dict[str, dict[str, Successor]] = {by: {} for by in TOP_BY}
    for category, reading in sites[earlier].categories.items():
        after = sites[later].categories[category].top
        for by, before in reading.top.items():
            if before is not None and (next_top := after[by]) is not None:
                found[by][category] = _successor(before, next_top, directions, chance)
    if directions is not None:
        first, second = directions
        sampled = first[:: max(1, len(first) // SAMPLED)]
        typical = float(np.median((sampled @ second.T).max(axis=1)))
    return LayerStep(earlier, later, typical, **found)


def _chance_cosine(earlier: np.ndarray, later: np.ndarray) -> float:
    """The cosine with the nearest later feature that 1 % of random directions exceed.

    The random directions are mixtures of all earlier features with independent normal weights: they
    fill the space as unevenly as the features do, for where features crowd into a few dimensions
    even unrelated ones are near each other.

    Args:
        earlier: unit directions, `[features, d]`.
        later: likewise.
    """
    weights = np.random.default_rng(0).standard_normal((MIXTURES, len(earlier)))
    mixtures = _unit(weights.astype(earlier.dtype) @ earlier)
    return float(np.quantile((mixtures @ later.T).max(axis=1), CHANCE))


def _successor(
    earlier: str,
    later: str,
    directions: tuple[np.ndarray, np.ndarray] | None,
    chance: float | None,
) -> Successor:
    first, second = taken_apart(earlier)[1], taken_apart(later)[1]
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
        chance_cosine=chance,
    )


def _trends(
    sites: Mapping[str, SiteReading], kind: str, names: list[str], category: str
) -> Iterator[Trend]:
    readings = [sites[name].categories[category] for name in names]
    layers = [int(sites[name].layer or 0) for name in names]
    peaks = [r.peak for r in readings if r.peak is not None]
    if len(peaks) == len(readings):
        yield _trend("peak", kind, layers, [peak.activation for peak in peaks])
    relative = [peak.relative for peak in peaks if peak.relative is not None]
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
