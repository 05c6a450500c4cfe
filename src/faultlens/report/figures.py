"""The report's figures, as plotly's JSON: what is drawn, in colours that both themes can bear.

Text, grid lines and colour scales are coloured by the page (page.js), which knows its theme. The
figures are plain dicts, so that making one does not load plotly.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from faultlens.audit.result import Audit, LevelReading
from faultlens.profile.result import Profile
from faultlens.report.numbers import auroc, clipped, number, p_value, share, share_interval

COLOURS = (
    "#3b7dd8", "#d9730d", "#2a9d5c", "#9a5fd0", "#d6455d", "#1593a5", "#a9743a", "#7b8794",
)  # fmt: skip
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "x", "star", "hexagon")
DASHES = ("solid", "dash", "dot", "dashdot")
STRIKING, QUIET = "#d6455d", "#7b8794"
LEVELS_DRAWN = 12  # of a factor: name factors have dozens of levels, and nothing to see in most


def _plain(text: str) -> str:
    """Data's own words, short enough for a label and safe from plotly's markup."""
    return escape(clipped(text, 44), quote=False)


def _layout(height: int, **more: Any) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 16, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13},
        **more,
    }


def _axis(title: str = "", **more: Any) -> dict[str, Any]:
    return {"title": {"text": title}, "automargin": True, "fixedrange": True, **more}


def _ticks(names: Sequence[str]) -> dict[str, Any]:
    """Names at 0, 1, 2, …: names that are clipped alike still have places of their own."""
    return {"tickvals": list(range(len(names))), "ticktext": [_plain(name) for name in names]}


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
        [f"{_plain(b.feature)}<br>p after Holm {p_value(b.p_holm)}" for b in row] for row in best
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
        "layout": _layout(
            90 + 38 * len(categories),
            xaxis=_axis(side="top", showgrid=False, zeroline=False, **_ticks(sites)),
            yaxis=_axis(autorange="reversed", showgrid=False, zeroline=False, **_ticks(categories)),
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
                    "name": _plain(category if len(kinds) == 1 else f"{category}, {kind}"),
                    "x": [layer for layer, _ in of_kind],
                    "y": [p.relative if relative else p.activation for p in peaks],
                    "text": [f"{_plain(p.feature)}, peak {number(p.activation)}" for p in peaks],
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
    layout = _layout(
        380,
        xaxis=_axis("layer", tickvals=ticks, zeroline=False),
        yaxis=_axis(title, rangemode="tozero"),
        legend={"orientation": "h", "y": -0.25},
    )
    return {"data": traces, "layout": layout}, relative


def failure_rates(audit: Audit) -> dict[str, Any]:
    """Failure rate by level with its interval; the dotted line is the rate over all prompts."""
    rows = [
        (f"{factor} = {level}", reading)
        for factor, levels in audit.factors.items()
        for level, reading in _drawn(levels)
    ]
    traces = []
    for significant, colour, name in (
        (True, STRIKING, "differs from the rest after Holm"),
        (False, QUIET, "does not"),
    ):
        chosen = [
            (place, reading)
            for place, (_, reading) in enumerate(rows)
            if (reading.p_holm <= audit.alpha) == significant
        ]
        if chosen:
            traces.append(_dots(chosen, colour, "diamond" if significant else "circle", name))
    rate = audit.failures / audit.n
    overall = {"type": "line", "x0": rate, "x1": rate, "y0": 0, "y1": 1, "yref": "paper"}
    names = [name for name, _ in rows]
    return {
        "data": traces,
        "layout": _layout(
            130 + 24 * len(rows),
            xaxis=_axis("failure rate", range=[-0.02, 1.02], tickformat=".0%", zeroline=False),
            yaxis=_axis(range=[len(rows) - 0.3, -0.7], zeroline=False, **_ticks(names)),
            shapes=[{**overall, "line": {"dash": "dot", "width": 1.5}}],
            legend={"orientation": "h", "yanchor": "bottom", "y": 1.0},
        ),
    }


def _drawn(levels: dict[str, LevelReading]) -> list[tuple[str, LevelReading]]:
    """A factor's levels, or its least probable ones where it has many; highest rate first."""
    chosen = sorted(levels.items(), key=lambda pair: pair[1].p_value)[:LEVELS_DRAWN]
    return sorted(chosen, key=lambda pair: -pair[1].rate)


def _dots(
    rows: Sequence[tuple[int, LevelReading]], colour: str, symbol: str, name: str
) -> dict[str, Any]:
    readings = [reading for _, reading in rows]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "y": [place for place, _ in rows],
        "x": [r.rate for r in readings],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, r.high - r.rate) for r in readings],
            "arrayminus": [max(0.0, r.rate - r.low) for r in readings],
            "color": colour,
            "thickness": 1.5,
            "width": 4,
        },
        "text": [
            f"{r.failures} of {r.n}: {share(r.rate)} {share_interval(r.low, r.high)}"
            for r in readings
        ],
        "hovertemplate": "%{y}<br>%{text}<extra></extra>",
        "marker": {"color": colour, "symbol": symbol, "size": 10},
    }
