"""The first page: what is explored, and what its run found."""

from __future__ import annotations

import dataclasses

from faultlens.explorer.source import Source
from faultlens.explorer.view import View, dictionary_address, feature_address
from faultlens.numbers import counted
from faultlens.report.audit.study import audit_study
from faultlens.report.parts import Callout, Cell, Column, Paragraph, Part, Row, Table, table
from faultlens.report.profile.study import profile_study
from faultlens.report.tree import Study


def overview(source: Source) -> View:
    """The answers of a run's studies with their lists, and what there is to look at."""
    studies = [] if source.audit is None else [audit_study(source.audit)]
    studies += [] if source.profile is None else [profile_study(source.profile)]
    parts: list[Part] = []
    for study in studies:
        parts += _told(study)
    return View(
        "overview",
        studies[0].headline.question if studies else "A store of firings",
        lead=(Paragraph(_held(source)),),
        parts=(_dictionaries(source), *parts) if not studies else (*parts, _dictionaries(source)),
    )


def _held(source: Source) -> str:
    held = [f"{one.title}: {counted(one.size, 'text')}" for one in source.collections]
    model = (
        "there is no model to read with" if source.lens is None else "a model is loaded on demand"
    )
    return f"{'; '.join([*held, model])}."


def _told(study: Study) -> list[Part]:
    """A study's answer and its list, features leading to their pages."""
    parts: list[Part] = [*study.headline.sentences, *study.headline.cautions[:2]]
    if study.found is not None:
        parts.append(linked(study.found))
    return parts


def linked(found: Table) -> Table:
    """A list whose first cells that name a feature lead to the feature's page; nothing opens."""

    def change(cell: Cell) -> Cell:
        feature = cell.text.split(" ")[0]
        name, slash, index = feature.rpartition("/")
        known = bool(slash and name) and index.isdecimal()
        return dataclasses.replace(cell, address=feature_address(feature)) if known else cell

    rows = (Row(tuple(map(change, row.cells))) for row in found.rows)
    return dataclasses.replace(found, rows=tuple(rows))


def _dictionaries(source: Source) -> Part:
    """The dictionaries, each leading to the features of it that fire."""
    if not source.widths:
        return Callout("open", "No dictionaries:", "The run read the model without any.")
    rows = []
    for name, width in source.widths.items():
        on = [one.title for one in source.collections if name in one.firings.names]
        features = Cell("not recorded" if width is None else f"{width:,}")
        leads = Cell(name, address=dictionary_address(name) if on else "")
        rows.append(Row((leads, features, Cell(", ".join(on) or "none kept"))))
    columns = [Column("Dictionary"), Column("Features", "right"), Column("Firings on")]
    return table("Dictionaries; each leads to its features that fire.", columns, rows)
