"""Values in rows and columns, as SVG: the larger the value, the fuller the colour."""

from __future__ import annotations

from markupsafe import escape

from faultlens.numbers import number
from faultlens.report.figures.chart import HeatMap, label
from faultlens.report.figures.svg_shapes import LETTER, Drawing, fitting, text, width_of

CELL = 34  # pixels; height of a cell that holds words
LEAST = 5.0  # pixels of a cell, below which names of rows and columns are left out
NAMED = 24  # rows or columns, up to which each is named
FAINT, FULL = 0.08, 0.75  # opacity of the lowest and of the highest value


def draw_heat_map(chart: HeatMap, width: int) -> Drawing:
    """Names to the left and on top, the scale below."""
    many = len(chart.rows) > NAMED
    names = [] if many else [label(name) for name in chart.rows]
    left = min(0.34 * width, max(map(width_of, names), default=0.0) + 12) if names else 0.0
    across = (width - left) / max(len(chart.columns), 1)
    down = CELL if chart.labels else min(across, 26.0)
    heads = [] if len(chart.columns) > NAMED else [label(name) for name in chart.columns]
    upright = any(width_of(head) > across for head in heads)
    top = 0.0
    if heads:
        top = min(110.0, max(map(width_of, heads)) + 8) if upright else 20.0
    shapes = []
    for column, head in enumerate(heads):
        x = left + (column + 0.5) * across
        if upright:
            told = escape(fitting(head, 102))
            shapes.append(f'<text transform="translate({x + 4:.1f} {top - 6:.1f}) rotate(-90)">'
                          f"{told}</text>")  # fmt: skip
        else:
            shapes.append(text(x, top - 6, head, anchor="middle"))
    for row, name in enumerate(names):
        y = top + (row + 0.5) * down + 4
        shapes.append(text(left - 8, y, fitting(name, left - 8), anchor="end"))
    shapes += _cells(chart, left, top, across, down)
    bottom = top + down * len(chart.rows)
    return Drawing([*shapes, *_scale(chart, left, bottom + 10)], bottom + 34)


def _cells(chart: HeatMap, left: float, top: float, across: float, down: float) -> list[str]:
    gap = 1.0 if across > LEAST else 0.0
    shapes = []
    for row, column, value in chart.cells():
        if value is None:
            continue
        x, y = left + column * across, top + row * down
        cell = (
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{across - gap:.1f}" height="{down - gap:.1f}" '
            f'class="heat" fill-opacity="{_opacity(chart, value):.2f}"/>'
        )
        words = f"<title>{escape(chart.words[row][column])}</title>"
        written = chart.labels[row][column] if chart.labels else ""
        if written and len(written) * LETTER <= across:
            written = text(x + across / 2, y + down / 2 + 4, written, anchor="middle")
        else:
            written = ""
        shapes.append(f"<g>{words}{cell}{written}</g>")
    return shapes


def _opacity(chart: HeatMap, value: float) -> float:
    span = chart.high - chart.low or 1.0
    share = min(max((value - chart.low) / span, 0.0), 1.0)
    return FAINT + share * (FULL - FAINT)


def _scale(chart: HeatMap, left: float, top: float) -> list[str]:
    """The colours from the lowest to the highest value, with both numbers."""
    shapes = [text(left, top + 12, f"{chart.measure} {number(chart.low)}", "quiet")]
    x = left + width_of(f"{chart.measure} {number(chart.low)}") + 6
    for step in range(5):
        opacity = FAINT + step / 4 * (FULL - FAINT)
        shapes.append(
            f'<rect x="{x + 14 * step:.1f}" y="{top + 2:.1f}" width="14" height="11" '
            f'class="heat" fill-opacity="{opacity:.2f}"/>'
        )
    shapes.append(text(x + 76, top + 12, number(chart.high), "quiet"))
    return shapes
