"""The tree as plain text, for a terminal or a log: prose is wrapped, tables keep their columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from faultlens.report.parts import (
    Callout,
    Cell,
    Column,
    Facts,
    Figure,
    Folded,
    Gloss,
    Paragraph,
    Part,
    Row,
    Table,
)
from faultlens.report.tree import Study

GAP = "  "  # between two columns


def as_text(study: Study, width: int = 100) -> str:
    """All that a study says, in the order of the page."""
    head = study.headline
    blocks = [_underlined(head.question, "=")]
    first: list[Part] = [*head.sentences, *head.cautions, *head.figures]
    blocks += [part_lines(part, width) for part in first]
    if study.found is not None:
        blocks += [_underlined(study.found_title, "-"), part_lines(study.found, width)]
    blocks.append(_underlined(study.sections_title, "="))
    for section in study.sections:
        blocks += [_underlined(section.title, "-"), textwrap.wrap(section.lead, width)]
        blocks += [part_lines(part, width) for part in section.parts]
    return "\n\n".join("\n".join(lines) for lines in blocks) + "\n"


def part_lines(part: Part, width: int) -> list[str]:
    """A part in lines of at most `width` characters."""
    match part:
        case Paragraph(text, label):
            return textwrap.wrap(f"{label} {text}".strip(), width)
        case Gloss(meanings):
            return [
                line for term, what in meanings for line in textwrap.wrap(f"{term}: {what}", width)
            ]
        case Callout(_, title, text):
            return textwrap.wrap(f"{title} {text}", width)
        case Figure(_, caption, alt):
            return textwrap.wrap(f"[Figure: {alt}] {caption}", width)
        case Folded(words, parts):
            lines = [words]
            for inner in parts:
                lines += ["", *part_lines(inner, width)]
            return lines
        case Facts(title, entries):
            said = [f"{name}: {_words(cell)}" for name, cell in entries]
            return [*textwrap.wrap(title, width), *textwrap.wrap("; ".join(said), width)]
        case Table():
            return _table(part, width)


def table_lines(columns: Sequence[Column], rows: Iterable[Row], width: int) -> list[list[str]]:
    """Each row of a table in as many lines as its fullest cell takes, the header first.

    A column is as wide as its widest cell; where all do not fit, the widest give way and their
    cells are wrapped, never cut.
    """
    grid = [[column.header for column in columns]]
    grid += [[_words(cell) for cell in row.cells] for row in rows]
    widths = _widths(grid, width)
    return [_row(texts, columns, widths) for texts in grid]


def _table(part: Table, width: int) -> list[str]:
    lines = textwrap.wrap(part.caption, width)
    header, *rows = table_lines(part.columns, part.rows, width)
    lines += header
    for row, drawn in zip(part.rows, rows, strict=True):
        lines += drawn
        for opened in row.opens:
            lines += ["    " + line for line in part_lines(opened, width - 4)]
    return lines


def _words(cell: Cell) -> str:
    mark = "✓ " if cell.marked else ""
    note = f" ({cell.note})" if cell.note else ""
    return " ".join(f"{mark}{cell.text}{note}".split())


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


def _underlined(title: str, line: str) -> list[str]:
    return [title, line * len(title)]
