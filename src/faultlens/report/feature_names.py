"""Feature names: what somebody reads features as, and their pages elsewhere. No evidence."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from faultlens.report.cells import with_cells
from faultlens.report.links import named_by
from faultlens.report.parts import Cell
from faultlens.report.tree import Document
from faultlens.runs.folder import written_file

TABLE = "tables/labels.parquet"
PAGES = "https://www.neuronpedia.org"
READINGS = (
    "Words in “…” beside a feature are somebody's label of it; nothing that is said here rests on "
    "them."
)
_FEATURE = re.compile(r"(.+)/([0-9]+)")


@dataclass(frozen=True)
class FeatureNames:
    """What is known of features beside an audit or a profile.

    Attributes:
        labels: by feature, somebody's reading of it.
        pages: by dictionary, what Neuronpedia calls it, e.g. `gpt2-small/8-res-jb`.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=dict)

    def page(self, feature: str) -> str:
        """The address of a feature's page; empty where there is none."""
        match = _FEATURE.fullmatch(feature)
        known = None if match is None else self.pages.get(match[1])
        return "" if match is None or known is None else f"{PAGES}/{known}/{match[2]}"


def pages_in(manifest: dict[str, Any] | None) -> dict[str, str]:
    """What a manifest says of its dictionaries' pages."""
    inputs = {} if manifest is None else manifest.get("inputs") or {}
    known = inputs.get("dictionaries")
    if not isinstance(known, dict):
        return {}
    named = {name: of.get("neuronpedia") for name, of in known.items() if isinstance(of, dict)}
    return {name: page for name, page in named.items() if isinstance(page, str)}


def read_feature_names(folder: Path, manifest: dict[str, Any] | None) -> FeatureNames:
    """What the run in `folder` kept of its features' names.

    Raises UserError for a file that the manifest lists and that is gone, or another.
    """
    path = written_file(folder, TABLE)
    rows = {} if path is None else pq.read_table(path).to_pydict()
    labels = dict(zip(rows.get("feature", ()), rows.get("label", ()), strict=True))
    return FeatureNames(labels, pages_in(manifest))


def with_names(document: Document, names: FeatureNames) -> Document:
    """The same document with labels and pages beside the features that its cells name."""
    if not names.labels and not names.pages:
        return document

    def change(cell: Cell, opens: bool) -> Cell:
        feature = named_by(cell)
        label, page = names.labels.get(feature, ""), names.page(feature)
        return dataclasses.replace(cell, label=label, page=page) if label or page else cell

    named = with_cells(document, change)
    if not names.labels:
        return named
    studies = tuple(
        study
        if study.found is None
        else dataclasses.replace(
            study,
            found=dataclasses.replace(study.found, caption=f"{study.found.caption} {READINGS}"),
        )
        for study in named.studies
    )
    return dataclasses.replace(named, studies=studies)
