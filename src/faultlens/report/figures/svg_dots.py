"""Estimates in named rows, as SVG."""

from __future__ import annotations

from faultlens.report.figures.chart import Dots, Mark, label
from faultlens.report.figures.svg_shapes import (
    Drawing,
    explained,
    fitting,
    group,
    horizontal_axis,
    scale,
    segment,
    symbol,
    text,
    width_of,
)

NARROW = 480  # pixels, below which a row's name stands above its marks
SIGNS = {"striking": "diamond", "plain": "square", "quiet": "circle"}
APART = 12  # pixels between two series of one row


def draw_dots(chart: Dots, width: int) -> Drawing:
    """Rows from top to bottom; the names stand beside the marks, or above them if it is narrow."""
    narrow = width < NARROW
    names = [label(name) for name in chart.rows]
    left = 10.0 if narrow else min(0.4 * width, max(map(width_of, names), default=0) + 14)
    right = width - 14.0
    shapes, top = [], 0.0
    if len(chart.series) > 1:
        signs = [
            (of.name, f"{of.style} filled", symbol(SIGNS[of.style], 0, 0)) for of in chart.series
        ]
        legend = explained(signs, width, 0)
        shapes, top = list(legend.shapes), legend.height + 6
    row = APART * (_most(chart) - 1) + (40 if narrow else 24)
    bottom = top + row * len(names)
    shapes += horizontal_axis(chart.x, left, right, top, bottom)
    across = scale(chart.x, left, right)(chart.line)
    shapes.append(segment(across, top, across, bottom, "reference"))
    for place, name in enumerate(names):
        start = top + place * row
        middle = start + row / 2 + (8 if narrow else 0)
        if narrow:
            shapes.append(text(left, start + 13, fitting(name, width - left)))
        else:
            shapes.append(text(left - 8, middle + 4, fitting(name, left - 8), anchor="end"))
        shapes += _row(chart, place, middle, left, right)
    return Drawing(shapes, bottom + 42)


def _most(chart: Dots) -> int:
    """The most marks that stand in one row."""
    rows = range(len(chart.rows))
    return max((sum(s.marks[row] is not None for s in chart.series) for row in rows), default=1)


def _row(chart: Dots, place: int, middle: float, left: float, right: float) -> list[str]:
    """The marks of one row, one under the other where it has several."""
    there = [(of, mark) for of in chart.series if (mark := of.marks[place]) is not None]
    first = middle - APART * (len(there) - 1) / 2
    at = scale(chart.x, left, right)
    shapes = []
    for step, (of, mark) in enumerate(there):
        y = first + step * APART
        drawn = [
            *_interval(mark, chart, left, right, y),
            symbol(SIGNS[of.style], at(mark.value), y),
        ]
        words = f"{chart.rows[place]}: {mark.words}"
        shapes.append(group(drawn, f"{of.style} filled", words))
    return shapes


def _interval(mark: Mark, chart: Dots, left: float, right: float, y: float) -> list[str]:
    if mark.low is None or mark.high is None:
        return []
    at = scale(chart.x, left, right)
    ends = [min(max(at(end), left - 4), right + 4) for end in (mark.low, mark.high)]
    return [segment(ends[0], y, ends[1], y, "interval")]
