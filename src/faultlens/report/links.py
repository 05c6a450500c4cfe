"""Links: a cell that names something with a page of its own leads there, wherever it stands."""

from __future__ import annotations

import dataclasses

from faultlens.report.cells import with_cells
from faultlens.report.parts import Cell, Table
from faultlens.report.tree import Document, parts_of


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

    def change(cell: Cell, opens: bool) -> Cell:
        name = named_by(cell)
        return dataclasses.replace(cell, link=name) if name in names and not opens else cell

    return with_cells(document, change)


def named_by(cell: Cell) -> str:
    """What a cell names, as it begins: the feature, of a class its strongest member."""
    return cell.text.split(" ")[0].rstrip(",")
