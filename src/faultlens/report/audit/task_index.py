"""The index of several audits as a tree: a row a task, which leads to its report."""

from __future__ import annotations

from urllib.parse import quote

from faultlens.auditing.result.task_index import TaskFinding, TaskIndex
from faultlens.numbers import clipped, counted, listed, share
from faultlens.report.parts import Callout, Cell, Column, Paragraph, Row, Table
from faultlens.report.tree import Document, Headline, Section, Study
from faultlens.runs.folder import PAGE

NAME = 40  # characters of a task's name
NAMED = 3  # tasks in a sentence
MANIFESTS = "How each audit was made stands in the manifest of its own run folder."
WHY = "The numbers behind each verdict; all the evidence stands in the task's report."
COLUMNS = (
    Column("Task", brief=True, explanation="It leads to the task's report."),
    Column("Fail", "right", brief=True, explanation="Prompts that fail; below, their share."),
    Column(
        "Classes", "right", brief=True,
        explanation="Classes of features that go with the outcome beyond chance; below, how many "
        "of them are causes.",
    ),
    Column(
        "Leading class", brief=True,
        explanation="The most certain that goes with failure, by its strongest member.",
    ),
    Column("Verdict", brief=True, explanation="On that class, or on the audit as a whole."),
)  # fmt: skip


def index_document(index: TaskIndex) -> Document:
    """All that is said of several audits together."""
    done = [one for one in index.tasks if one.refused is None]
    refused = [one for one in index.tasks if one.refused is not None]
    study = Study(
        name=f"Audits of {counted(len(index.tasks), 'task')}",
        headline=Headline(
            question=f"What goes with failure in {_names(index.tasks)}?",
            sentences=(
                Paragraph(_fails(done), "What fails:"),
                Paragraph(_causes(done), "What causes it:"),
            ),
            cautions=tuple(
                Callout("caution", f"{clipped(one.task, NAME)} could not be audited:", _ended(one))
                for one in refused
            ),
        ),
        found_title="Tasks",
        found=Table(
            "Each was audited by itself.", COLUMNS, tuple(_row(one) for one in index.tasks),
            rows_are="tasks", browsable=True,
        ),
        sections_title="Verdicts",
        sections=(Section("What decided each", WHY, tuple(map(_why, done)), open=True),),
    )  # fmt: skip
    facts = tuple((clipped(one.task, NAME), one.run or "not audited") for one in index.tasks)
    return Document(_names(index.tasks), (study,), facts, None, MANIFESTS)


def _names(tasks: list[TaskFinding]) -> str:
    return listed([clipped(one.task, NAME) for one in tasks], NAMED)


def _fails(done: list[TaskFinding]) -> str:
    """The tasks by how many of their prompts fail, the worst first."""
    rates = sorted(done, key=_rate, reverse=True)
    said = [f"{one.failures:,} of {one.n:,} prompts of {clipped(one.task, NAME)}" for one in rates]
    return f"{listed(said, NAMED)}." if said else "nothing is known: no task could be audited."


def _causes(done: list[TaskFinding]) -> str:
    """In which tasks a class of features is a cause, and in which none was tested."""
    tested = [one for one in done if one.causes is not None]
    found = [
        f"{counted(len(one.causes), 'class', 'classes')} of features in {clipped(one.task, NAME)}"
        for one in tested
        if one.causes
    ]
    if not tested:
        return "no feature was tested in any of them."
    untested = [one for one in done if one.causes is None]
    without = f"in {_names(untested)} no feature was tested; " if untested else ""
    if not found:
        where = "any of the others" if untested else "any of them"
        return f"{without}no class of features is shown to cause failure in {where}."
    rest = "" if len(found) == len(tested) else "in the others none is shown to; "
    return f"{listed(found, NAMED)}; {without}{rest}".removesuffix("; ") + "."


def _rate(one: TaskFinding) -> float:
    return (one.failures or 0) / max(one.n or 0, 1)


def _ended(one: TaskFinding) -> str:
    return f"{one.refused}."


def _why(one: TaskFinding) -> Paragraph:
    label = f"{clipped(one.task, NAME)}:"
    if one.verdict is None:
        return Paragraph("no feature was tested.", label)
    feature = "" if one.leading is None else f"{one.leading} is "
    return Paragraph(f"{feature}{one.verdict}: {one.sentence}.", label)


def _row(one: TaskFinding) -> Row:
    if one.refused is not None:
        cells = (Cell(clipped(one.task, NAME)), *[Cell("")] * 3, Cell("not audited"))
        return Row(cells)
    causes = "" if one.causes is None else counted(len(one.causes), "cause")
    return Row(
        (
            Cell(clipped(one.task, NAME), address=f"{quote(one.run or '')}/{PAGE}"),
            Cell(f"{one.failures:,} of {one.n:,}", share(_rate(one)), value=_rate(one)),
            Cell(
                "not tested" if one.significant is None else f"{one.significant:,}", causes,
                value=-1.0 if one.significant is None else float(one.significant),
            ),
            Cell(one.leading or "none"),
            Cell(one.verdict or "none", value=one.verdict or ""),
        )
    )  # fmt: skip
