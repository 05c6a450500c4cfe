"""Parts as plain text: the second renderer, for a terminal or a log."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from faultlens.report.numbers import clipped
from faultlens.report.parts import Callout, Cell, Figure, Heading, Paragraph, Part, Table

WIDEST_CELL = 48


def as_text(parts: Iterable[Part], width: int = 100) -> str:
    """All parts, one under the other. Prose is wrapped at `width`; tables keep their columns."""
    return "\n\n".join("\n".join(_lines(part, width)) for part in parts) + "\n"


def _lines(part: Part, width: int) -> list[str]:
    match part:
        case Heading(text, level):
            return [text, ("=" if level == 2 else "-") * min(len(text), width)]
        case Paragraph(text, label):
            return textwrap.wrap(f"{label} {text}".strip(), width)
        case Callout(_, title, text):
            body = textwrap.wrap(text, width - 2)
            return [*textwrap.wrap(title, width), *(f"| {line}" for line in body)]
        case Figure(_, caption, alt):
            return textwrap.wrap(f"[Figure: {alt}] {caption}", width)
        case Table():
            return _table(part, width)


def _table(part: Table, width: int) -> list[str]:
    titles = textwrap.wrap(" ".join(filter(None, (part.folded, part.caption))), width)
    grid = [[column.header for column in part.columns]]
    grid += [[_cell(cell) for cell in row] for row in part.rows]
    widths = [max(len(row[place]) for row in grid) for place in range(len(part.columns))]
    lines = []
    for row in grid:
        aligned = (
            text.rjust(wide) if column.align == "right" else text.ljust(wide)
            for text, wide, column in zip(row, widths, part.columns, strict=True)
        )
        lines.append("  ".join(aligned).rstrip())
    return [*titles, lines[0], "  ".join("-" * wide for wide in widths), *lines[1:]]


def _cell(cell: Cell) -> str:
    mark = "✓ " if cell.marked else ""
    note = f" ({cell.note})" if cell.note else ""
    return clipped(f"{mark}{cell.text}{note}", WIDEST_CELL)
