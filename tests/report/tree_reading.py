"""How the tests read the tree: sections by title, tables by a column, rows as text."""

from __future__ import annotations

import dataclasses

import audit_samples

from faultlens.auditing.result import Intervention
from faultlens.auditing.result.audit import Audit
from faultlens.report.audit.study import audit_study
from faultlens.report.parts import Cell, Facts, Figure, Paragraph, Part, Row, Table
from faultlens.report.tree import Section, Study


def titled(study: Study, title: str) -> Section:
    """The section of this title."""
    return next(section for section in study.sections if section.title == title)


def section(audit: Audit, title: str) -> Section:
    """The section of an audit of this title."""
    return titled(audit_study(audit), title)


def tables(parts: tuple[Part, ...]) -> list[Table]:
    return [part for part in parts if isinstance(part, Table)]


def figures(parts: tuple[Part, ...]) -> list[Figure]:
    return [part for part in parts if isinstance(part, Figure)]


def paragraphs(parts: tuple[Part, ...]) -> list[str]:
    found = [part for part in parts if isinstance(part, Paragraph)]
    return [f"{part.label} {part.text}".strip() for part in found]


def headed(parts: tuple[Part, ...], header: str) -> Table:
    """The table that has a column of this name."""
    return next(t for t in tables(parts) if header in [c.header for c in t.columns])


def captioned(parts: tuple[Part, ...], words: str) -> Table:
    """The table whose caption has these words."""
    (found,) = [table for table in tables(parts) if words in table.caption]
    return found


def text_of(cell: Cell) -> str:
    return f"{cell.text} {cell.note}".strip()


def rows(table: Table) -> list[list[str]]:
    return [[text_of(cell) for cell in row.cells] for row in table.rows]


def marks(table: Table, column: int) -> list[bool]:
    return [row.cells[column].marked for row in table.rows]


def class_row(audit: Audit, first: str) -> Row:
    """The row of a class in the list of classes, by its strongest member."""
    found = audit_study(audit).found
    assert found is not None
    return next(row for row in found.rows if row.cells[0].text.split(" and ")[0] == first)


def facts_of(row: Row) -> dict[str, str]:
    """All that was measured of a class, by name."""
    (found,) = [part for part in row.opens if isinstance(part, Facts)]
    return {name: text_of(cell) for name, cell in found.entries}


def of_leading(intervention: Intervention | None) -> Audit:
    """The whole audit, its leading class changed in another way."""
    whole = audit_samples.audit()
    site = whole.sites["4-res-mini"]
    reading = dataclasses.replace(site.classes[0], intervention=intervention)
    found = dataclasses.replace(site, classes=[reading, *site.classes[1:]])
    return dataclasses.replace(whole, sites={**whole.sites, "4-res-mini": found})
