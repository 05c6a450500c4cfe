"""Parts of the tree as plain text, for a terminal: prose is wrapped, tables keep their columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from faultlens.report.parts import Callout, Cell, Column, Paragraph, Table

GAP = "  "  # between two columns


def prose_lines(part: Paragraph | Callout, width: int) -> list[str]:
    """A few sentences, in lines of at most `width` characters."""
    head = part.label if isinstance(part, Paragraph) else part.title
    return textwrap.wrap(f"{head} {part.text}".strip(), width)


def table_lines(table: Table, width: int) -> list[list[str]]:
    """Each row of a table in as many lines as its fullest cell takes, the header first.

    A column is as wide as its widest cell; where all do not fit, the widest give way and their
    cells are wrapped, never cut.
    """
    grid = [[column.header for column in table.columns]]
    grid += [[_words(cell) for cell in row.cells] for row in table.rows]
    widths = _widths(grid, width)
    return [_row(texts, table.columns, widths) for texts in grid]


def _words(cell: Cell) -> str:
    mark = "✓ " if cell.marked else ""
    note = f" ({cell.note})" if cell.note else ""
    label = f" “{cell.label}”" if cell.label else ""
    return " ".join(f"{mark}{cell.text}{label}{note}".split())


def _widths(grid: Sequence[Sequence[str]], width: int) -> list[int]:
    widths = [max(1, *(len(text) for text in column)) for column in zip(*grid, strict=True)]
    room = width - len(GAP) * (len(widths) - 1)
    while sum(widths) > room and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1
    return widths


def _row(texts: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> list[str]:
    cells = [textwrap.wrap(text, wide) or [""] for text, wide in zip(texts, widths, strict=True)]
    lines = []
    for place in range(max(map(len, cells))):
        line = [cell[place] if place < len(cell) else "" for cell in cells]
        aligned = (
            text.rjust(wide) if column.align == "right" else text.ljust(wide)
            for text, column, wide in zip(line, columns, widths, strict=True)
        )
        lines.append(GAP.join(aligned).rstrip())
    return lines
