"""Lines and points over a common horizontal axis, panel under panel, as SVG."""

from __future__ import annotations

from faultlens.report.figures.chart import Axis, Line, Panel, Panels, label
from faultlens.report.figures.svg_shapes import (
    DASHES,
    SYMBOLS,
    Drawing,
    explained,
    group,
    horizontal_axis,
    scale,
    symbol,
    ticks,
    vertical_axis,
    width_of,
)

BETWEEN = 34  # pixels between two panels
MANY = 150  # points of a line, from which its points are drawn as one shape, without words
COLOURS = 8


def draw_panels(chart: Panels, width: int) -> Drawing:
    """The lines' names on top, then the panels, then the common axis."""
    first = chart.panels[0].lines
    shapes, top = [], 0.0
    if len(first) > 1:
        legend = explained([_sign(line) for line in first], width, 0)
        shapes, top = list(legend.shapes), legend.height
    left, right = _margin(chart, width), width - 14.0
    top += 26
    for place, panel in enumerate(chart.panels):
        bottom = top + panel.share * chart.height
        last = place == len(chart.panels) - 1
        shared = chart.x if last else Axis("", chart.x.low, chart.x.high, log=chart.x.log,
                                           ticks=_unnamed(chart.x, right - left))  # fmt: skip
        shapes += horizontal_axis(shared, left, right, top, bottom)
        shapes += vertical_axis(panel.y, left, right, top, bottom)
        for line in panel.lines:
            shapes += _line(line, chart.x, panel, (left, right, top, bottom))
        top = bottom + BETWEEN
    return Drawing(shapes, top - BETWEEN + 42)


def _unnamed(axis: Axis, pixels: float) -> tuple[tuple[float, str], ...]:
    """The same ticks without their names, which stand under the last panel."""
    return tuple((value, "") for value, _ in ticks(axis, int(pixels / 60)))


def _margin(chart: Panels, width: int) -> float:
    """Room for the names of the vertical axes' ticks."""
    names = [name for panel in chart.panels for _, name in ticks(panel.y, 6)]
    return min(0.4 * width, max(map(width_of, names), default=0.0) + 14)


def _style(line: Line) -> str:
    return f"c{line.colour % COLOURS}"


def _sign(line: Line) -> tuple[str, str, str]:
    sign = symbol(SYMBOLS[line.symbol % len(SYMBOLS)], 0, 0) if line.marked else ""
    if line.joined:
        dash = DASHES[line.dash % len(DASHES)]
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        sign = f'<path class="line" d="M-9 0L9 0"{dashed}/>{sign}'
    return label(line.name), f"{_style(line)} filled", sign


def _line(line: Line, x: Axis, panel: Panel, box: tuple[float, float, float, float]) -> list[str]:
    """One line: its way, then each of its points with what is said of it."""
    left, right, top, bottom = box
    across = scale(x, left, right)
    up = scale(panel.y, *((top, bottom) if panel.y.downwards else (bottom, top)))
    places = [(across(point.x), up(point.y), point) for point in line.points if point.y is not None]
    shapes = []
    if line.joined and len(places) > 1:
        dash = DASHES[line.dash % len(DASHES)]
        way = "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py, _ in places)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        shapes.append(f'<path class="line" d="{way}"{dashed}/>')
    if not line.marked:
        return [group(shapes, _style(line), line.name)]
    kind = SYMBOLS[line.symbol % len(SYMBOLS)]
    if len(places) >= MANY and kind == "square":
        specks = "".join(f"M{px - 1:.1f} {py - 2:.1f}h2v4h-2z" for px, py, _ in places)
        return [*shapes, group([f'<path d="{specks}"/>'], f"{_style(line)} filled")]
    radius = 4.5 if len(places) < MANY else 2.5
    named = f"{line.name}: " if line.name else ""
    shapes += [
        group([symbol(kind, px, py, radius)], words=f"{named}{point.words}")
        for px, py, point in places
    ]
    return [group(shapes, f"{_style(line)} filled")]
