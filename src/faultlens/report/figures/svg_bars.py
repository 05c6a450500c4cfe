"""Shares by group as bars, side by side, as SVG."""

from __future__ import annotations

from faultlens.numbers import share
from faultlens.report.figures.chart import Axis, Bars
from faultlens.report.figures.svg_shapes import (
    Drawing,
    explained,
    fitting,
    group,
    scale,
    text,
    vertical_axis,
)

LEFT, HEIGHT = 44.0, 150.0


def draw_bars(chart: Bars, width: int) -> Drawing:
    """The kinds' names on top, a group of bars for each bin, the bins' names below."""
    signs = [
        (name, f"{style} filled", '<rect x="-5" y="-5" width="10" height="10"/>')
        for name, style, _ in chart.series
    ]
    legend = explained(signs, width, 0)
    top = legend.height + 24
    bottom, right = top + HEIGHT, width - 8.0
    most = max((value for _, _, values in chart.series for value in values), default=1.0) or 1.0
    axis = Axis(chart.y, 0.0, most, percent=True)
    shapes = [*legend.shapes, *vertical_axis(axis, LEFT, right, top, bottom)]
    up = scale(axis, bottom, top)
    across = (right - LEFT) / max(len(chart.bins), 1)
    wide = 0.8 * across / max(len(chart.series), 1)
    for place, name in enumerate(chart.bins):
        start = LEFT + (place + 0.1) * across
        for which, (kind, style, values) in enumerate(chart.series):
            high = up(values[place])
            bar = (
                f'<rect x="{start + which * wide:.1f}" y="{high:.1f}" width="{wide - 1:.1f}" '
                f'height="{max(bottom - high, 0.0):.1f}"/>'
            )
            words = f"{name}: {share(values[place])} of {kind}"
            shapes.append(group([bar], f"{style} filled", words))
        middle = LEFT + (place + 0.5) * across
        shapes.append(text(middle, bottom + 16, fitting(name, across), "quiet", "middle"))
    shapes.append(text((LEFT + right) / 2, bottom + 34, chart.x, "quiet", "middle"))
    return Drawing(shapes, bottom + 42)
