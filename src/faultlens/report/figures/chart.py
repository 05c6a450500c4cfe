"""Charts: what a figure shows, apart from how it is drawn.

A chart is data with its axes. The page draws it as SVG (`svg.py`), and a notebook gets it as a
plotly figure (`plotly_figure.py`): both from here, so that they show the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from faultlens.numbers import clipped

Style = Literal["striking", "plain", "quiet"]
LABEL = 44  # characters of a name taken from the data


@dataclass(frozen=True)
class Axis:
    """A numeric axis, from its low end to its high end."""

    title: str
    low: float
    high: float
    percent: bool = False
    """Whether values are shares, to be written as percentages."""
    log: bool = False
    ticks: tuple[tuple[float, str], ...] = ()
    """Values to mark, with their names; empty: round numbers are chosen."""
    downwards: bool = False
    """Whether the low end is at the top, as for rows that are read downwards."""


@dataclass(frozen=True)
class Mark:
    """An estimate, with its interval if it has one, and what is said of it on hover."""

    value: float
    low: float | None
    high: float | None
    words: str


@dataclass(frozen=True)
class Series:
    """Marks of one kind, one a row at most."""

    name: str
    style: Style
    marks: tuple[Mark | None, ...]


@dataclass(frozen=True)
class Dots:
    """Estimates in named rows, from top to bottom, along one axis."""

    rows: tuple[str, ...]
    series: tuple[Series, ...]
    x: Axis
    line: float
    """Where a dotted line is drawn from top to bottom: what the estimates are compared with."""


@dataclass(frozen=True)
class Point:
    """A place in a panel; None where the line has a gap."""

    x: float
    y: float | None
    words: str


@dataclass(frozen=True)
class Line:
    """Points under one name. Colour, dash and symbol are places in the drawing's own lists."""

    name: str
    points: tuple[Point, ...]
    colour: int = 0
    dash: int = 0
    symbol: int = 0
    joined: bool = True
    """Whether a line goes through the points."""
    marked: bool = True
    """Whether each point has a symbol."""


@dataclass(frozen=True)
class Panel:
    """Lines over one vertical axis; `share` of the figure's height is its own."""

    y: Axis
    lines: tuple[Line, ...]
    share: float = 1.0


@dataclass(frozen=True)
class Panels:
    """Panels from top to bottom over one horizontal axis; the first one's lines are explained."""

    x: Axis
    panels: tuple[Panel, ...]
    height: int
    """Of all panels together, in pixels."""


@dataclass(frozen=True)
class HeatMap:
    """Values in rows and columns, None where there is none."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    words: tuple[tuple[str, ...], ...]
    """What is said of each cell on hover."""
    labels: tuple[tuple[str, ...], ...]
    """What stands in each cell; empty: nothing stands in any."""
    measure: str
    low: float
    high: float

    def cells(self) -> Iterator[tuple[int, int, float | None]]:
        """Row, column and value of each cell."""
        for row, values in enumerate(self.values):
            for column, value in enumerate(values):
                yield row, column, value


@dataclass(frozen=True)
class Bars:
    """Shares by group, side by side: how often each of several kinds falls into each bin."""

    bins: tuple[str, ...]
    series: tuple[tuple[str, Style, tuple[float, ...]], ...]
    """The name of each kind, its style, and its share in each bin."""
    x: str
    y: str


Chart = Dots | Panels | HeatMap | Bars


def label(name: str) -> str:
    """A name taken from the data, on one line and short enough for a figure."""
    return clipped(name, LABEL)
