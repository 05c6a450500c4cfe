"""A profile's charts: over categories, sites and layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from faultlens.numbers import NOTHING_FIRES, auroc, number, p_value, share
from faultlens.profiling.result import CategoryReading, Profile, Selectivity, Specialist
from faultlens.report.figures.chart import Axis, HeatMap, Line, Panel, Panels, Point

Best = TypeVar("Best", Selectivity, Specialist)
CELLS, LINES = 40, 16  # categories in a heat map, and as lines
GREY = 7  # the colour of what holds for all texts


def selectivity_heatmap(profile: Profile) -> HeatMap:
    """AUROC of the most selective feature, category × site; its name on hover."""
    best = _best(profile, lambda reading: reading.selectivity)
    values = tuple(tuple(b.auroc for b in row) for row in best)
    return HeatMap(
        rows=tuple(easiest(profile, CELLS)),
        columns=tuple(profile.sites),
        values=values,
        words=tuple(
            tuple(f"{b.feature}, AUROC {auroc(b.auroc)}, p Holm {p_value(b.p_holm)}" for b in row)
            for row in best
        ),
        labels=tuple(
            tuple(auroc(b.auroc) + (" ✓" if b.p_holm <= profile.alpha else "") for b in row)
            for row in best
        ),
        measure="AUROC",
        low=min(0.9, *(value for row in values for value in row)),
        high=1.0,
    )


def specialist_heatmap(profile: Profile) -> HeatMap:
    """The best score of each category at each site, marked where it is beyond chance."""
    best = _best(profile, lambda reading: reading.specialist)
    values = tuple(tuple(float(b.score) for b in row) for row in best)
    ends = [value for row in values for value in row]
    return HeatMap(
        rows=tuple(easiest(profile, CELLS)),
        columns=tuple(profile.sites),
        values=values,
        words=tuple(
            tuple(
                f"{b.feature}, {b.inside} inside, {b.outside} outside, p Holm {p_value(b.p_holm)}"
                for b in row
            )
            for row in best
        ),
        labels=tuple(
            tuple(f"{b.score}{' ✓' if b.p_holm <= profile.alpha else ''}" for b in row)
            for row in best
        ),
        measure="score",
        low=min(ends),
        high=max(ends),
    )


def easiest(profile: Profile, most: int) -> list[str]:
    """The categories that are drawn: all, or the easiest where there are very many."""
    if len(profile.categories) <= most:
        return profile.categories
    ranked = sorted(profile.categories, key=lambda name: profile.difficulty[name].rank)
    kept = set(ranked[:most])
    return [name for name in profile.categories if name in kept]


def drawn_words(profile: Profile, most: int) -> str:
    """That not all categories are drawn, to stand after a caption; empty if all are."""
    every = len(profile.categories)
    return "" if every <= most else f" Of {every:,} categories the {most} easiest are drawn."


def _best(profile: Profile, of: Callable[[CategoryReading], Best]) -> list[list[Best]]:
    sites = profile.sites.values()
    return [[of(site.categories[name]) for site in sites] for name in easiest(profile, CELLS)]


def peak_lines(profile: Profile) -> tuple[Panels, bool] | None:
    """Peaks by layer over their Gini, a line a category; whether relative to the residual norm.

    None where there are fewer than two layers, and so no line.
    """
    if not _kinds(profile):
        return None
    relative = all(
        reading.peak is None or reading.peak.relative is not None
        for site in profile.sites.values()
        if site.layer is not None
        for reading in site.categories.values()
    )

    def height(reading: CategoryReading) -> float | None:
        peak = reading.peak
        if peak is None:
            return None
        return peak.activation if not relative or peak.relative is None else peak.relative

    def named(reading: CategoryReading) -> str:
        peak, gini = reading.peak, reading.gini
        if peak is None or gini is None:
            return NOTHING_FIRES
        return f"{peak.feature}, peak {number(peak.activation)}, Gini {number(gini)}"

    title = "peak ÷ mean residual norm" if relative else "peak activation"
    peaks = _lines(profile, height, named)
    ginis = _lines(profile, lambda reading: reading.gini, named)
    panels = (
        Panel(_from_zero(title, peaks), peaks, 0.64),
        Panel(_from_zero(f"Gini of the top {profile.top_k}", ginis), ginis, 0.36),
    )
    return Panels(_layer_axis(profile), panels, 380), relative


def coverage_lines(profile: Profile) -> Panels | None:
    """Share of a category's texts on which its most frequent feature fires, by layer.

    None where there are fewer than two layers.
    """
    if not _kinds(profile):
        return None

    def named(reading: CategoryReading) -> str:
        most = reading.most_frequent
        if most is None:
            return NOTHING_FIRES
        return f"{most.feature} on {most.texts} of {reading.texts} texts"

    lines = list(
        _lines(
            profile,
            lambda r: None if r.most_frequent is None else r.most_frequent.coverage,
            named,
        )
    )
    kinds = _kinds(profile)
    for dash, (kind, names) in enumerate(kinds.items()):
        points = []
        for name in names:
            site = profile.sites[name]
            most = site.most_frequent
            words = f"{most.feature} on {most.texts} texts, {share(most.coverage)}"
            points.append(Point(float(site.layer or 0), most.coverage, words))
        called = "all texts" if len(kinds) == 1 else f"all texts, {kind}"
        lines.append(Line(called, tuple(points), GREY, dash, 0))
    panel = Panel(Axis("share of texts", 0.0, 1.0, percent=True), tuple(lines))
    return Panels(_layer_axis(profile), (panel,), 260)


def tail_curves(profile: Profile) -> Panels:
    """Cumulative share of the total activation by rank of the feature, a curve a site."""
    lines = tuple(
        Line(
            name,
            tuple(
                Point(float(rank), held, f"{rank} features hold {share(held)}")
                for rank, held in zip(site.curve.ranks, site.curve.shares, strict=True)
            ),
            colour=place,
            dash=place // 8,
            marked=False,
        )
        for place, (name, site) in enumerate(profile.sites.items())
    )
    last = max(point.x for line in lines for point in line.points)
    x = Axis("features, by falling total activation", 1.0, max(last, 10.0), log=True)
    panel = Panel(Axis("share of all activation", 0.0, 1.0, percent=True), lines)
    return Panels(x, (panel,), 260)


def _lines(
    profile: Profile,
    height: Callable[[CategoryReading], float | None],
    words: Callable[[CategoryReading], str],
) -> tuple[Line, ...]:
    """A line for each category and kind of site over the layers."""
    kinds = _kinds(profile)
    lines = []
    for dash, (kind, names) in enumerate(kinds.items()):
        for place, category in enumerate(easiest(profile, LINES)):
            readings = [profile.sites[name].categories[category] for name in names]
            layers = [profile.sites[name].layer or 0 for name in names]
            points = tuple(
                Point(float(layer), height(reading), f"layer {layer}: {words(reading)}")
                for layer, reading in zip(layers, readings, strict=True)
            )
            called = category if len(kinds) == 1 else f"{category}, {kind}"
            lines.append(Line(called, points, place, dash, place))
    return tuple(lines)


def _from_zero(title: str, lines: Sequence[Line]) -> Axis:
    heights = [p.y for line in lines for p in line.points if p.y is not None]
    return Axis(title, 0.0, 1.05 * max(heights, default=1.0) or 1.0)


def _kinds(profile: Profile) -> dict[str, list[str]]:
    """Sites by what they are apart from their layer, in order; empty below two layers in all."""
    placed = [(site.layer, name) for name, site in profile.sites.items() if site.layer is not None]
    if len({layer for layer, _ in placed}) < 2:
        return {}
    kinds: dict[str, list[str]] = {}
    for _, name in sorted(placed):
        kinds.setdefault(name.split("-", 1)[-1], []).append(name)
    return kinds


def _layer_axis(profile: Profile) -> Axis:
    layers = sorted({site.layer for site in profile.sites.values() if site.layer is not None})
    ticks = tuple((float(layer), str(layer)) for layer in layers)
    return Axis("layer", float(layers[0]), float(layers[-1]), ticks=ticks)
