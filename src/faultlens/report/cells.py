"""Every cell of a document, changed in one walk: those of tables, facts and what they open."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from faultlens.report.parts import Cell, Facts, Folded, Part, Row, Table
from faultlens.report.tree import Document, Section, Study

Change = Callable[[Cell, bool], Cell]
"""A cell, and whether it opens its row, to what stands in its place."""


def with_cells(document: Document, change: Change) -> Document:
    """The same document with each of its cells changed."""
    return dataclasses.replace(
        document, studies=tuple(_study(study, change) for study in document.studies)
    )


def _study(study: Study, change: Change) -> Study:
    found = study.found
    return dataclasses.replace(
        study,
        found=None if found is None else _table(found, change),
        sections=tuple(_section(section, change) for section in study.sections),
    )


def _section(section: Section, change: Change) -> Section:
    return dataclasses.replace(section, parts=tuple(_part(part, change) for part in section.parts))


def _part(part: Part, change: Change) -> Part:
    match part:
        case Table():
            return _table(part, change)
        case Facts(title, entries):
            return Facts(title, tuple((name, change(cell, False)) for name, cell in entries))
        case Folded(words, parts):
            return Folded(words, tuple(_part(inner, change) for inner in parts))
        case _:
            return part


def _table(table: Table, change: Change) -> Table:
    return dataclasses.replace(table, rows=tuple(_row(row, change) for row in table.rows))


def _row(row: Row, change: Change) -> Row:
    cells = (change(cell, bool(row.opens) and not place) for place, cell in enumerate(row.cells))
    return Row(tuple(cells), tuple(_part(part, change) for part in row.opens), row.name)
