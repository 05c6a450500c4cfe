"""Links: a cell that names something with a page of its own leads there, wherever it stands."""

from __future__ import annotations

import dataclasses

from faultlens.report.parts import Cell, Facts, Folded, Part, Row, Table
from faultlens.report.tree import Document, Section, Study, parts_of


def linked(document: Document) -> Document:
    """The same document, its cells leading to the rows that are named as they begin."""
    names = {
        row.name
        for study in document.studies
        for part in parts_of(study)
        if isinstance(part, Table)
        for row in part.rows
        if row.name
    }
    return dataclasses.replace(
        document, studies=tuple(_study(study, names) for study in document.studies)
    )


def _study(study: Study, names: set[str]) -> Study:
    found = study.found
    return dataclasses.replace(
        study,
        found=None if found is None else _table(found, names),
        sections=tuple(_section(section, names) for section in study.sections),
    )


def _section(section: Section, names: set[str]) -> Section:
    return dataclasses.replace(section, parts=tuple(_part(part, names) for part in section.parts))


def _part(part: Part, names: set[str]) -> Part:
    match part:
        case Table():
            return _table(part, names)
        case Facts(title, entries):
            return Facts(title, tuple((name, _cell(cell, names)) for name, cell in entries))
        case Folded(words, parts):
            return Folded(words, tuple(_part(inner, names) for inner in parts))
        case _:
            return part


def _table(table: Table, names: set[str]) -> Table:
    return dataclasses.replace(table, rows=tuple(_row(row, names) for row in table.rows))


def _row(row: Row, names: set[str]) -> Row:
    first = 1 if row.opens else 0  # the first cell opens the row
    cells = (*row.cells[:first], *(_cell(cell, names) for cell in row.cells[first:]))
    return Row(cells, tuple(_part(part, names) for part in row.opens), row.name)


def _cell(cell: Cell, names: set[str]) -> Cell:
    name = cell.text.split(" ")[0].rstrip(",")
    return dataclasses.replace(cell, link=name) if name in names else cell
