"""What all SVG drawings are made of: text, lines, symbols, axes, the explanation of the series."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import escape

from faultlens.numbers import clipped, number, share
from faultlens.report.figures.chart import Axis

FONT = 12  # pixels; the style sheet's size of a chart's text
LETTER = 6.6  # width of an average letter of that size, in pixels
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle", "x", "star", "hexagon")
DASHES = ("", "7 4", "2 4", "8 4 2 4")
_CORNERS = {  # a symbol's outline, in units of its radius
    "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    "triangle": ((0, -1.2), (1.1, 0.9), (-1.1, 0.9)),
    "hexagon": ((-0.6, -1), (0.6, -1), (1.2, 0), (0.6, 1), (-0.6, 1), (-1.2, 0)),
    "star": tuple(
        (
            math.sin(i * math.pi / 5) * (1.5, 0.65)[i % 2],
            -math.cos(i * math.pi / 5) * (1.5, 0.65)[i % 2],
        )
        for i in range(10)
    ),
}


@dataclass(frozen=True)
class Drawing:
    """The shapes of a chart, and how high they are together."""

    shapes: list[str]
    height: float


def text(x: float, y: float, words: str, style: str = "", anchor: str = "start") -> str:
    """Words whose baseline is at `y`."""
    more = f' class="{style}"' if style else ""
    more += f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{more}>{escape(words)}</text>'


def segment(x0: float, y0: float, x1: float, y1: float, style: str) -> str:
    """A straight line."""
    return f'<path class="{style}" d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}"/>'


def symbol(kind: str, x: float, y: float, radius: float = 4.5) -> str:
    """A symbol in the colour of the group that it stands in."""
    if kind == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>'
    if kind in ("cross", "x"):
        reach = radius * (1.2 if kind == "cross" else 0.9)
        ends = [(reach, 0), (0, reach)] if kind == "cross" else [(reach, reach), (reach, -reach)]
        path = "".join(f"M{x - dx:.1f} {y - dy:.1f}L{x + dx:.1f} {y + dy:.1f}" for dx, dy in ends)
        return f'<path class="thick" d="{path}"/>'
    corners = " ".join(f"{x + radius * dx:.1f},{y + radius * dy:.1f}" for dx, dy in _CORNERS[kind])
    return f'<polygon points="{corners}"/>'


def group(shapes: Sequence[str], style: str = "", words: str = "") -> str:
    """Shapes of one colour, with what is said of them on hover."""
    told = f"<title>{escape(words)}</title>" if words else ""
    styled = f' class="{style}"' if style else ""
    return f"<g{styled}>{told}{''.join(shapes)}</g>"


def fitting(words: str, pixels: float) -> str:
    """Words cut to about so many pixels."""
    return clipped(words, max(2, int(pixels / LETTER)))


def width_of(words: str) -> float:
    """About how wide words are, in pixels."""
    return len(words) * LETTER


def scale(axis: Axis, start: float, end: float) -> Callable[[float], float]:
    """From values to places: the axis's low end is at `start`, its high end at `end`."""

    def at(value: float) -> float:
        return math.log10(value) if axis.log else value

    span = at(axis.high) - at(axis.low) or 1.0
    return lambda value: start + (at(value) - at(axis.low)) / span * (end - start)


def ticks(axis: Axis, most: int) -> list[tuple[float, str]]:
    """The axis's own ticks, or round numbers, at most about so many, with their names."""
    if axis.ticks:
        return list(axis.ticks)
    if axis.log:
        first, last = math.ceil(math.log10(axis.low) - 1e-9), math.floor(math.log10(axis.high))
        return [(10.0**power, number(10.0**power)) for power in range(first, last + 1)]
    rough = (axis.high - axis.low) / max(most, 1) or 1.0
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= rough * 0.999)
    places = range(math.ceil(axis.low / step - 1e-9), math.floor(axis.high / step + 1e-9) + 1)
    written = share if axis.percent else number
    return [(place * step, written(round(place * step, 12))) for place in places]


def horizontal_axis(axis: Axis, left: float, right: float, top: float, bottom: float) -> list[str]:
    """Grid lines from `top` to `bottom`, the ticks' names below, and the title under them."""
    place = scale(axis, left, right)
    shapes = []
    for value, name in ticks(axis, int((right - left) / 60)):
        x = place(value)
        shapes.append(segment(x, top, x, bottom, "grid"))
        if name:
            anchor = "end" if x + width_of(name) / 2 > right + 12 else "middle"
            shapes.append(text(x, bottom + 16, name, "quiet", anchor))
    if axis.title:
        shapes.append(text((left + right) / 2, bottom + 34, axis.title, "quiet", "middle"))
    return shapes


def vertical_axis(axis: Axis, left: float, right: float, top: float, bottom: float) -> list[str]:
    """Grid lines from `left` to `right`, the ticks' names beside, and the title above."""
    ends = (top, bottom) if axis.downwards else (bottom, top)
    place = scale(axis, *ends)
    shapes = []
    for value, name in ticks(axis, int((bottom - top) / 40)):
        shapes.append(segment(left, place(value), right, place(value), "grid"))
        if name:
            shapes.append(text(left - 6, place(value) + 4, fitting(name, left - 6), "quiet", "end"))
    if axis.title:
        shapes.append(text(2, top - 8, axis.title, "quiet"))
    return shapes


def explained(series: Sequence[tuple[str, str, str]], width: float, top: float) -> Drawing:
    """What each series is, in as many lines as it takes.

    Args:
        series: the name, the style of its group, and its symbol, drawn at the origin.
        width: of the lines.
        top: where the first line starts.
    """
    shapes, x, y = [], 0.0, top + 12
    for name, style, sign in series:
        wide = 22 + width_of(name)
        if x and x + wide > width:
            x, y = 0.0, y + 18
        told = fitting(name, width - x - 22)
        shapes.append(
            f'<g class="{style}" transform="translate({x + 8:.1f} {y - 4:.1f})">{sign}</g>'
        )
        shapes.append(text(x + 20, y, told))
        x += wide + 14
    return Drawing(shapes, y + 10 - top)
