"""The intermediate form: one walk over a result gives parts, and two renderers show them.

A part knows what is said and nothing of how it looks, so that the page and the terminal cannot say
different things. Text in a part is plain text: the renderers escape it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Tone = Literal["good", "warning", "neutral"]
Align = Literal["left", "right"]


@dataclass(frozen=True)
class Heading:
    """The start of a section."""

    text: str
    level: int = 2
    """2 for a study, 3 for a step of it; 1 is the page's title."""


@dataclass(frozen=True)
class Paragraph:
    """A few sentences."""

    text: str
    label: str = ""
    """Words before the text that name what it is about."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    header: str
    align: Align = "left"
    explanation: str = ""
    """What the numbers are, where the header alone does not say it."""


@dataclass(frozen=True)
class Cell:
    """What stands in one place of a table."""

    text: str
    note: str = ""
    """A second, quieter line."""
    marked: bool = False
    """Whether it passed the test that the table is about."""


@dataclass(frozen=True)
class Table:
    """Rows under named columns; the first cell of a row is the row's name."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    folded: str = ""
    """If not empty, the table is long: it is shown on demand, under these words."""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{len(row)} cells under {len(self.columns)} columns: {row}")


@dataclass(frozen=True)
class Figure:
    """A plotly figure as JSON-ready dict, with words for those who do not see it."""

    figure: dict[str, Any]
    caption: str
    alt: str


@dataclass(frozen=True)
class Callout:
    """A conclusion or a warning that must not be missed."""

    tone: Tone
    title: str
    text: str


Part = Heading | Paragraph | Table | Figure | Callout


def table(
    caption: str,
    columns: Iterable[Column],
    rows: Iterable[Iterable[Cell | str]],
    folded: str = "",
) -> Table:
    """A table whose plain cells may be given as strings."""
    cells = (tuple(Cell(c) if isinstance(c, str) else c for c in row) for row in rows)
    return Table(caption, tuple(columns), tuple(cells), folded)


def shown_first(whole: Table, first: int, rows_are: str) -> list[Part]:
    """A long table in two parts, its first rows and the folded rest; a short one as it is."""
    rest = len(whole.rows) - first
    if rest <= 3:  # folding fewer would hide more than it saves
        return [whole]
    return [
        dataclasses.replace(whole, rows=whole.rows[:first]),
        dataclasses.replace(
            whole, rows=whole.rows[first:], folded=f"{rest} more {rows_are}", caption=""
        ),
    ]
