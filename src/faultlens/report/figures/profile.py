"""The profile's figures, as plotly's JSON: over categories, sites and layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from faultlens.profiling.result import CategoryReading, Profile
from faultlens.report.figures.drawing import COLOURS, DASHES, SYMBOLS, axis, layout, plain, ticks
from faultlens.report.numbers import NOTHING_FIRES, auroc, number, p_value

CELLS_WITH_TEXT = 12  # columns up to which a heat map's cells hold words


def selectivity_heatmap(profile: Profile) -> dict[str, Any]:
    """AUROC of the most selective feature, category × site; its name on hover."""
    sites, categories = list(profile.sites), profile.categories
    best = [
        [profile.sites[site].categories[category].selectivity for site in sites]
        for category in categories
    ]
    labels = [
        [auroc(b.auroc) + ("" if b.p_holm <= profile.alpha else " (chance)") for b in row]
        for row in best
    ]
    hover = [
        [f"{plain(b.feature)}<br>p after Holm {p_value(b.p_holm)}" for b in row] for row in best
    ]
    lowest = min(b.auroc for row in best for b in row)
    trace = {
        "type": "heatmap",
        "x": list(range(len(sites))),
        "y": list(range(len(categories))),
        "z": [[b.auroc for b in row] for row in best],
        "text": labels,
        "texttemplate": "%{text}" if len(sites) <= CELLS_WITH_TEXT else "",
        "customdata": hover,
        "hovertemplate": "%{y} at %{x}<br>%{customdata}<br>AUROC %{text}<extra></extra>",
        "zmin": min(0.9, lowest),
        "zmax": 1.0,
        "xgap": 2,
        "ygap": 2,
        "colorbar": {"title": {"text": "AUROC"}, "thickness": 12, "outlinewidth": 0},
    }
    return {
        "data": [trace],
        "layout": _grid(sites, categories),
    }


def specialist_heatmap(profile: Profile) -> dict[str, Any]:
    """The best score of each category at each site, marked where it is beyond chance."""
    sites, categories = list(profile.sites), profile.categories
    best = [
        [profile.sites[site].categories[category].specialist for site in sites]
        for category in categories
    ]
    trace = {
        "type": "heatmap",
        "x": list(range(len(sites))),
        "y": list(range(len(categories))),
        "z": [[b.score for b in row] for row in best],
        "text": [
            [f"{b.score}{' ✓' if b.p_holm <= profile.alpha else ''}" for b in row] for row in best
        ],
        "texttemplate": "%{text}" if len(sites) <= CELLS_WITH_TEXT else "",
        "customdata": [
            [
                f"{plain(b.feature)}<br>{b.inside} inside, {b.outside} outside"
                f"<br>p after Holm {p_value(b.p_holm)}"
                for b in row
            ]
            for row in best
        ],
        "hovertemplate": "%{y} at %{x}<br>%{customdata}<br>score %{text}<extra></extra>",
        "xgap": 2,
        "ygap": 2,
        "colorbar": {"title": {"text": "score"}, "thickness": 12, "outlinewidth": 0},
    }
    return {"data": [trace], "layout": _grid(sites, categories)}


def _grid(columns: Sequence[str], rows: Sequence[str]) -> dict[str, Any]:
    return layout(
        90 + 38 * len(rows),
        xaxis=axis(side="top", showgrid=False, zeroline=False, **ticks(columns)),
        yaxis=axis(autorange="reversed", showgrid=False, zeroline=False, **ticks(rows)),
    )


def peak_lines(profile: Profile) -> tuple[dict[str, Any], bool] | None:
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
        return f"{plain(peak.feature)}, peak {number(peak.activation)}, Gini {number(gini)}"

    traces = _lines(profile, height, named)
    below = _lines(profile, lambda reading: reading.gini, named)
    traces += [{**trace, "yaxis": "y2", "showlegend": False} for trace in below]
    title = "peak ÷ mean residual norm" if relative else "peak activation"
    drawn = layout(
        520,
        xaxis=axis("layer", tickvals=_layers(profile), zeroline=False, anchor="y2"),
        yaxis=axis(title, rangemode="tozero", domain=[0.42, 1.0]),
        yaxis2=axis(f"Gini of the top {profile.top_k}", rangemode="tozero", domain=[0.0, 0.32]),
        legend={"orientation": "h", "y": -0.2},
    )
    return {"data": traces, "layout": drawn}, relative


def coverage_lines(profile: Profile) -> dict[str, Any] | None:
    """Share of a category's texts on which its most frequent feature fires, by layer.

    None where there are fewer than two layers.
    """
    if not _kinds(profile):
        return None

    def named(reading: CategoryReading) -> str:
        most = reading.most_frequent
        if most is None:
            return NOTHING_FIRES
        return f"{plain(most.feature)} on {most.texts} of {reading.texts} texts"

    traces = _lines(
        profile,
        lambda reading: None if reading.most_frequent is None else reading.most_frequent.coverage,
        named,
    )
    for (kind, names), dash in zip(_kinds(profile).items(), DASHES * len(traces), strict=False):
        frequent = [profile.sites[name].most_frequent for name in names]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": plain("all texts" if len(_kinds(profile)) == 1 else f"all texts, {kind}"),
                "x": [profile.sites[name].layer for name in names],
                "y": [f.coverage for f in frequent],
                "text": [f"{plain(f.feature)} on {f.texts} texts" for f in frequent],
                "hovertemplate": "layer %{x}: %{y:.1%}<br>%{text}",
                "line": {"color": "#7b8794", "dash": dash, "width": 4},
                "marker": {"size": 5},
            }
        )
    drawn = layout(
        380,
        xaxis=axis("layer", tickvals=_layers(profile), zeroline=False),
        yaxis=axis("share of texts", range=[0, 1.05], tickformat=".0%"),
        legend={"orientation": "h", "y": -0.25},
    )
    return {"data": traces, "layout": drawn}


def tail_curves(profile: Profile) -> dict[str, Any]:
    """Cumulative share of the total activation by rank of the feature, a curve a site."""
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": plain(name),
            "x": site.curve.ranks,
            "y": site.curve.shares,
            "hovertemplate": "%{x} features hold %{y:.1%}",
            "line": {
                "color": COLOURS[place % len(COLOURS)],
                "dash": DASHES[place // len(COLOURS) % len(DASHES)],
            },
        }
        for place, (name, site) in enumerate(profile.sites.items())
    ]
    drawn = layout(
        360,
        xaxis=axis("features, by falling total activation", type="log", zeroline=False),
        yaxis=axis("share of all activation", range=[0, 1.02], tickformat=".0%"),
        legend={"orientation": "h", "y": -0.25},
    )
    return {"data": traces, "layout": drawn}


def _lines(
    profile: Profile,
    height: Callable[[CategoryReading], float | None],
    words: Callable[[CategoryReading], str],
) -> list[dict[str, Any]]:
    """A line for each category and kind of site over the layers."""
    kinds = _kinds(profile)
    traces = []
    for dash, (kind, names) in enumerate(kinds.items()):
        for place, category in enumerate(profile.categories):
            readings = [profile.sites[name].categories[category] for name in names]
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": plain(category if len(kinds) == 1 else f"{category}, {kind}"),
                    "x": [profile.sites[name].layer for name in names],
                    "y": [height(reading) for reading in readings],
                    "text": [words(reading) for reading in readings],
                    "hovertemplate": "layer %{x}: %{y:.3g}<br>%{text}",
                    "line": {
                        "color": COLOURS[place % len(COLOURS)],
                        "dash": DASHES[dash % len(DASHES)],
                    },
                    "marker": {"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 9},
                }
            )
    return traces


def _kinds(profile: Profile) -> dict[str, list[str]]:
    """Sites by what they are apart from their layer, in order; empty below two layers in all."""
    placed = [(site.layer, name) for name, site in profile.sites.items() if site.layer is not None]
    if len({layer for layer, _ in placed}) < 2:
        return {}
    kinds: dict[str, list[str]] = {}
    for _, name in sorted(placed):
        kinds.setdefault(name.split("-", 1)[-1], []).append(name)
    return kinds


def _layers(profile: Profile) -> list[int]:
    return sorted({site.layer for site in profile.sites.values() if site.layer is not None})
