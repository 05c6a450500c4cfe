"""Charts as plotly figures, as plain dicts: for a notebook or a paper, where plotly changes them.

Making one does not load plotly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from faultlens.report.figures.chart import Axis, Bars, Chart, Dots, HeatMap, Line, Panels, label

COLOURS = (
    "#3b7dd8", "#d9730d", "#2a9d5c", "#9a5fd0", "#d6455d", "#1593a5", "#a9743a", "#7b8794",
)  # fmt: skip
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "x", "star", "hexagon")
DASHES = ("solid", "dash", "dot", "dashdot")
STYLES = {
    "striking": ("#d6455d", "diamond"),
    "plain": ("#3b7dd8", "square"),
    "quiet": ("#7b8794", "circle"),
}
BELOW = {"orientation": "h", "y": -0.2}


def plotly_figure(chart: Chart) -> dict[str, Any]:
    """A chart as `{"data", "layout"}`: `plotly.graph_objects.Figure` takes it."""
    match chart:
        case Dots():
            return _dots(chart)
        case Panels():
            return _panels(chart)
        case HeatMap():
            return _heat_map(chart)
        case Bars():
            return _bars(chart)


def plain(text: str) -> str:
    """Data's own words, short enough for a label and safe from plotly's markup."""
    return escape(label(text), quote=False)


def _dots(chart: Dots) -> dict[str, Any]:
    traces = []
    for series in chart.series:
        there = [(place, mark) for place, mark in enumerate(series.marks) if mark is not None]
        colour, symbol = STYLES[series.style]
        ups = [None if m.high is None else max(0.0, m.high - m.value) for _, m in there]
        downs = [None if m.low is None else max(0.0, m.value - m.low) for _, m in there]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": plain(series.name),
                "y": [place for place, _ in there],
                "x": [mark.value for _, mark in there],
                "error_x": {
                    "type": "data", "symmetric": False, "array": ups, "arrayminus": downs,
                    "color": colour,
                },
                "text": [escape(mark.words, quote=False) for _, mark in there],
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {"color": colour, "symbol": symbol, "size": 10},
            }
        )  # fmt: skip
    rows = len(chart.rows)
    across = {"type": "line", "x0": chart.line, "x1": chart.line, "y0": 0, "y1": 1, "yref": "paper"}
    layout = _layout(
        130 + 34 * rows,
        xaxis=_axis(chart.x),
        yaxis={"range": [rows - 0.3, -0.7], "automargin": True, **_names(chart.rows)},
        shapes=[{**across, "line": {"dash": "dot"}}],
        legend=BELOW,
    )
    return {"data": traces, "layout": layout}


def _panels(chart: Panels) -> dict[str, Any]:
    traces, layout, top = [], _layout(chart.height + 120, legend=BELOW), 1.0
    rest = 1.0 - 0.08 * (len(chart.panels) - 1)
    for place, panel in enumerate(chart.panels):
        bottom = max(0.0, top - panel.share * rest)
        axis = "y" if place == 0 else f"y{place + 1}"
        layout[axis.replace("y", "yaxis")] = {**_axis(panel.y), "domain": [bottom, top]}
        traces += [_line(line, axis, shown=place == 0 and bool(line.name)) for line in panel.lines]
        top = bottom - 0.08
    last = "y" if len(chart.panels) == 1 else f"y{len(chart.panels)}"
    return {"data": traces, "layout": {**layout, "xaxis": {**_axis(chart.x), "anchor": last}}}


def _line(line: Line, axis: str, shown: bool) -> dict[str, Any]:
    modes = [mode for mode, on in (("lines", line.joined), ("markers", line.marked)) if on]
    colour = COLOURS[line.colour % len(COLOURS)]
    trace = {
        "type": "scatter",
        "mode": "+".join(modes),
        "name": plain(line.name),
        "x": [point.x for point in line.points],
        "y": [point.y for point in line.points],
        "text": [escape(point.words, quote=False) for point in line.points],
        "hovertemplate": "%{text}",
        "line": {"color": colour, "dash": DASHES[line.dash % len(DASHES)]},
        "marker": {"color": colour, "symbol": SYMBOLS[line.symbol % len(SYMBOLS)], "size": 8},
        "showlegend": shown,
    }
    return trace if axis == "y" else {**trace, "yaxis": axis}


def _heat_map(chart: HeatMap) -> dict[str, Any]:
    trace: dict[str, Any] = {
        "type": "heatmap",
        "x": list(range(len(chart.columns))),
        "y": list(range(len(chart.rows))),
        "z": [list(row) for row in chart.values],
        "customdata": [[escape(words, quote=False) for words in row] for row in chart.words],
        "hovertemplate": "%{customdata}<extra></extra>",
        "hoverongaps": False,
        "zmin": chart.low,
        "zmax": chart.high,
        "colorscale": "Blues",
        "colorbar": {"title": {"text": chart.measure}},
    }
    if chart.labels:
        trace |= {"text": [list(row) for row in chart.labels], "texttemplate": "%{text}"}
    layout = _layout(
        90 + 38 * min(len(chart.rows), 15),
        xaxis={"side": "top", "automargin": True, **_names(chart.columns)},
        yaxis={"autorange": "reversed", "automargin": True, **_names(chart.rows)},
    )
    return {"data": [trace], "layout": layout}


def _bars(chart: Bars) -> dict[str, Any]:
    traces = [
        {
            "type": "bar",
            "name": plain(name),
            "x": list(chart.bins),
            "y": list(values),
            "marker": {"color": STYLES[style][0]},
        }
        for name, style, values in chart.series
    ]
    layout = _layout(
        300,
        xaxis={"title": {"text": chart.x}, "type": "category", "automargin": True},
        yaxis={"title": {"text": chart.y}, "tickformat": ".0%", "automargin": True},
        legend=BELOW,
    )
    return {"data": traces, "layout": layout}


def _layout(height: int, **more: Any) -> dict[str, Any]:
    return {"height": height, "margin": {"l": 8, "r": 8, "t": 24, "b": 8}, **more}


def _axis(axis: Axis) -> dict[str, Any]:
    ends = [math.log10(axis.low), math.log10(axis.high)] if axis.log else [axis.low, axis.high]
    found: dict[str, Any] = {
        "title": {"text": axis.title},
        "range": ends[::-1] if axis.downwards else ends,
        "automargin": True,
        "zeroline": False,
    }
    if axis.log:
        found["type"] = "log"
    if axis.percent:
        found["tickformat"] = ".0%"
    if axis.ticks:
        found["tickvals"] = [value for value, _ in axis.ticks]
        found["ticktext"] = [plain(name) for _, name in axis.ticks]
    return found


def _names(names: Sequence[str]) -> dict[str, Any]:
    """Names at 0, 1, 2, …: names that are clipped alike still have places of their own."""
    return {"tickvals": list(range(len(names))), "ticktext": [plain(name) for name in names]}
