"""A profile's figures, as plotly's JSON: what is drawn, in colours that both themes can bear.

Text, grid lines and colour scales are coloured by the page (page.js), which knows its theme. The
figures are plain dicts, so that making one does not load plotly.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from faultlens.profile.result import Profile
from faultlens.report.numbers import auroc, clipped, number, p_value

COLOURS = (
    "#3b7dd8", "#d9730d", "#2a9d5c", "#9a5fd0", "#d6455d", "#1593a5", "#a9743a", "#7b8794",
)  # fmt: skip
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "x", "star", "hexagon")
DASHES = ("solid", "dash", "dot", "dashdot")


def plain(text: str) -> str:
    """Data's own words, short enough for a label and safe from plotly's markup."""
    return escape(clipped(text, 44), quote=False)


def layout(height: int, **more: Any) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 16, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13},
        **more,
    }


def axis(title: str = "", **more: Any) -> dict[str, Any]:
    return {"title": {"text": title}, "automargin": True, "fixedrange": True, **more}


def ticks(names: Sequence[str]) -> dict[str, Any]:
    """Names at 0, 1, 2, …: names that are clipped alike still have places of their own."""
    return {"tickvals": list(range(len(names))), "ticktext": [plain(name) for name in names]}


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
        "texttemplate": "%{text}" if len(sites) <= 12 else "",
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
        "layout": layout(
            90 + 38 * len(categories),
            xaxis=axis(side="top", showgrid=False, zeroline=False, **ticks(sites)),
            yaxis=axis(autorange="reversed", showgrid=False, zeroline=False, **ticks(categories)),
        ),
    }


def peak_lines(profile: Profile) -> tuple[dict[str, Any], bool] | None:
    """Peaks by layer, a line a category, and whether they are relative to the residual norm.

    None where there are fewer than two layers, and so no line.
    """
    placed = [(site.layer, name) for name, site in profile.sites.items() if site.layer is not None]
    kinds: dict[str, list[tuple[int, str]]] = {}
    for layer, name in sorted(placed):
        kinds.setdefault(name.split("-", 1)[-1], []).append((layer, name))
    if len({layer for layer, _ in placed}) < 2:
        return None
    relative = all(
        profile.sites[name].categories[category].peak.relative is not None
        for _, name in placed
        for category in profile.categories
    )
    traces = []
    for dash, (kind, of_kind) in enumerate(kinds.items()):
        for place, category in enumerate(profile.categories):
            peaks = [profile.sites[name].categories[category].peak for _, name in of_kind]
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": plain(category if len(kinds) == 1 else f"{category}, {kind}"),
                    "x": [layer for layer, _ in of_kind],
                    "y": [p.relative if relative else p.activation for p in peaks],
                    "text": [f"{plain(p.feature)}, peak {number(p.activation)}" for p in peaks],
                    "hovertemplate": "layer %{x}: %{y:.3g}<br>%{text}",
                    "line": {
                        "color": COLOURS[place % len(COLOURS)],
                        "dash": DASHES[dash % len(DASHES)],
                    },
                    "marker": {"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 9},
                }
            )
    title = "peak ÷ mean residual norm" if relative else "peak activation"
    ticks = sorted({layer for layer, _ in placed})
    drawn = layout(
        380,
        xaxis=axis("layer", tickvals=ticks, zeroline=False),
        yaxis=axis(title, rangemode="tozero"),
        legend={"orientation": "h", "y": -0.25},
    )
    return {"data": traces, "layout": drawn}, relative
