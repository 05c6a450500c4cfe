"""The tree that a run becomes on its way to a reader: one walk over the results, many renderers.

A document holds studies; a study its headline, the list of what it found, and sections with the
evidence. The page shows all of it; the terminal shows each study's headline and the first rows of
its list (`terminal/summary.py`), and a notebook likewise (`notebook.py`). All of them take the same
words from the same tree, so that they cannot say different things.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from faultlens.report.parts import Callout, Figure, Folded, Gloss, Paragraph, Part, Row, Table


@dataclass(frozen=True)
class Headline:
    """What a study comes to."""

    question: str
    sentences: tuple[Paragraph, ...]
    """The answer: what was found, what explains it as far as shown, and what may not be claimed."""
    figures: tuple[Figure, ...] = ()
    """What carries the answer."""
    cautions: tuple[Callout, ...] = ()
    """What a reader should know of the input before believing any of it."""
    gloss: tuple[Gloss, ...] = ()


@dataclass(frozen=True)
class Section:
    """One step of an argument: its title, what it comes to, and the evidence."""

    title: str
    lead: str
    """What the step comes to, in a sentence; all that is said of a step that was not done."""
    parts: tuple[Part, ...] = ()
    open: bool = False
    """Whether the evidence is in sight at once."""


@dataclass(frozen=True)
class Study:
    """All that is said of one result."""

    name: str
    headline: Headline
    found_title: str
    found: Table | None
    """The list of what was found; None where there is none."""
    sections_title: str
    sections: tuple[Section, ...]
    found_gloss: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Document:
    """All that is said of a run."""

    name: str
    studies: tuple[Study, ...]
    facts: tuple[tuple[str, str], ...]
    """How it was run, by name."""
    manifest: str | None
    """The manifest as it stands in the run folder; None where the folder holds none."""
    no_manifest: str = "No manifest was found beside the results: what was run is not recorded."
    """What is said where there is no manifest."""


def brief(found: Table) -> Table:
    """A study's list as the terminal and a notebook show it: some columns, no second lines."""
    kept = [place for place, column in enumerate(found.columns) if column.brief]
    return dataclasses.replace(
        found,
        columns=tuple(found.columns[place] for place in kept),
        rows=tuple(
            Row(tuple(dataclasses.replace(row.cells[place], note="") for place in kept))
            for row in found.rows
        ),
        browsable=False,
    )


def parts_of(study: Study) -> Iterator[Part]:
    """Every part of a study in the order of reading, the folded ones and those of rows included."""
    yield from (part for caution in study.headline.cautions for part in _within(caution))
    yield from (part for figure in study.headline.figures for part in _within(figure))
    if study.found is not None:
        yield from _within(study.found)
    for section in study.sections:
        for part in section.parts:
            yield from _within(part)


def _within(part: Part) -> Iterator[Part]:
    yield part
    match part:
        case Folded(_, parts):
            inner = parts
        case Table():
            inner = tuple(opened for row in part.rows for opened in row.opens)
        case _:
            inner = ()
    for one in inner:
        yield from _within(one)
