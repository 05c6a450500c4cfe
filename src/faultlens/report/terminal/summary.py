"""A run in the terminal: each study's answer, then the first rows of the list of what it found.

Nothing is worded here: sentences, cells and cautions are the page's own, and a test holds every
line against the page.
"""

from __future__ import annotations

import dataclasses
import textwrap

from faultlens.auditing.result.audit import Audit
from faultlens.profiling.result import Profile
from faultlens.report.document import document
from faultlens.report.feature_names import FeatureNames
from faultlens.report.parts import Callout, Table
from faultlens.report.text import prose_lines, table_lines
from faultlens.report.tree import Document, Study, brief

WIDTH = 100  # characters of a line
INDENT = "  "
INSIDE = WIDTH - len(INDENT)
MOST = 20  # lines of a study
CAUTIONS = 4  # of those lines, that cautions may take
IN_REPORT = "  (more in the report)"


def summary(
    profile: Profile | None, audit: Audit | None, names: FeatureNames | None = None
) -> list[str]:
    """The run in plain text: at most 20 lines a study, of at most 100 characters each."""
    return document_lines(document(profile, audit, None, names=names))


def document_lines(whole: Document) -> list[str]:
    """Any tree in plain text, in as many lines a study and of the same length."""
    return [line for study in whole.studies for line in _study(study)]


def _study(study: Study) -> list[str]:
    head = study.headline
    lines = textwrap.wrap(head.question, WIDTH)
    for sentence in head.sentences:
        lines += _indented(prose_lines(sentence, INSIDE))
    cautions = _cautions(head.cautions)
    found = [] if study.found is None else _list(study.found, MOST - len(lines) - len(cautions))
    return [*lines, *cautions, *found]


def _cautions(cautions: tuple[Callout, ...]) -> list[str]:
    """As many cautions as there is room for, and that there are more."""
    lines: list[str] = []
    for place, caution in enumerate(cautions):
        said = _indented(prose_lines(caution, INSIDE))
        rest = place < len(cautions) - 1
        if len(lines) + len(said) + rest > CAUTIONS:
            return [*lines, IN_REPORT] if lines else [*said[: CAUTIONS - 1], IN_REPORT]
        lines += said
    return lines


def _list(found: Table, room: int) -> list[str]:
    """The caption and the first rows of a list."""
    shown = brief(found)
    first = dataclasses.replace(shown, rows=shown.rows[: max(room, 1)])
    header, *rows = table_lines(first, INSIDE)
    lines = _indented([*textwrap.wrap(found.caption, INSIDE), *header])
    for place, row in enumerate(rows):
        rest = place < len(found.rows) - 1
        if len(lines) + len(row) + rest > room:
            return [*lines, IN_REPORT]
        lines += _indented(row)
    return lines


def _indented(lines: list[str]) -> list[str]:
    return [f"{INDENT}{line}" for line in lines]
