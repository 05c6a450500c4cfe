"""What the tree is made of: a part says something, and knows nothing of how it looks.

Text in a part is plain text: the renderers escape it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from faultlens.report.figures.chart import Chart

Support = Literal["shown", "partly", "open", "refuted", "caution"]
"""How far a claim is supported: shown by every control that it takes, shown in part, neither shown
nor refuted, refuted; or a caution about how something was done."""
Align = Literal["left", "right"]
MOST_ROWS = 1_000  # of one table


@dataclass(frozen=True)
class Paragraph:
    """A few sentences."""

    text: str
    label: str = ""
    """Words before the text that name what it is about."""


@dataclass(frozen=True)
class Gloss:
    """What terms mean that were just used for the first time."""

    meanings: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Callout:
    """A conclusion or a caution that must not be missed."""

    support: Support
    title: str
    text: str


@dataclass(frozen=True)
class Figure:
    """A chart, with words for those who do not see it."""

    name: str
    """What is drawn, in a word or two: under this name `figures` hands it out."""
    chart: Chart
    caption: str
    alt: str


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    header: str
    align: Align = "left"
    explanation: str = ""
    """What the numbers are, where the header alone does not say it."""
    brief: bool = False
    """Whether the terminal shows it, where the table is a study's list."""
    chosen: str = ""
    """Under which name a reader chooses among its values, where rows can be browsed; empty: not."""


@dataclass(frozen=True)
class Cell:
    """What stands in one place of a table."""

    text: str
    note: str = ""
    """A second, quieter line."""
    marked: bool = False
    """Whether it passed the test that the table is about."""
    support: Support | None = None
    """How far what it says is supported, where it states a claim."""
    value: float | str | None = None
    """What rows are sorted and chosen by, where that is not the text."""
    link: str = ""
    """The name of the row that the cell leads to."""
    label: str = ""
    """What somebody reads the feature as that the cell names: no evidence."""
    page: str = ""
    """The address of that feature's page elsewhere."""
    address: str = ""
    """Where the text leads on a server that shows it; empty: nowhere."""


@dataclass(frozen=True)
class Row:
    """Cells from left to right, and what a reader sees on opening the row."""

    cells: tuple[Cell, ...]
    opens: tuple[Part, ...] = ()
    name: str = ""
    """Under which links lead here; empty: none does."""


@dataclass(frozen=True)
class Table:
    """Rows under named columns; the first cell of a row is the row's name."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    first: int = 0
    """How many rows are shown before a reader asks for all; 0: all."""
    rows_are: str = "rows"
    browsable: bool = False
    """Whether rows can be sorted, searched, and chosen by a column's values."""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(f"{len(row.cells)} cells under {len(self.columns)} columns: {row}")


@dataclass(frozen=True)
class Facts:
    """Numbers of one thing, each under its name."""

    title: str
    entries: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True)
class ShadedText:
    """A text in tokens, each with a feature's activation on it; 0 where it is silent."""

    label: str
    tokens: tuple[tuple[str, float], ...]
    largest: float
    """The activation that is shaded in full."""


@dataclass(frozen=True)
class Folded:
    """Parts that are shown on demand, under these words."""

    words: str
    parts: tuple[Part, ...]


Part = Paragraph | Gloss | Callout | Figure | Table | Facts | ShadedText | Folded


def facts(title: str, entries: Iterable[tuple[str, Cell | str]]) -> Facts:
    """Facts whose plain values may be given as strings."""
    whole = ((name, Cell(v) if isinstance(v, str) else v) for name, v in entries)
    return Facts(title, tuple(whole))


def table(
    caption: str,
    columns: Iterable[Column],
    rows: Iterable[Row | Iterable[Cell | str]],
    first: int = 0,
    rows_are: str = "rows",
    elsewhere: str = "the results' JSON file",
) -> Table:
    """A table whose plain cells may be given as strings.

    A page does not open with any number of rows: of very many the first are kept, and the caption
    says how many more stand `elsewhere` in the run folder.
    """
    every = list(rows)
    whole = tuple(
        row
        if isinstance(row, Row)
        else Row(tuple(Cell(cell) if isinstance(cell, str) else cell for cell in row))
        for row in every[:MOST_ROWS]
    )
    rest = len(every) - len(whole)
    if rest:
        caption = f"{caption} {rest:,} more {rows_are} stand in {elsewhere}."
    fits = len(whole) - first <= 3  # hiding fewer would hide more than it saves
    return Table(caption, tuple(columns), whole, 0 if fits else first, rows_are)
