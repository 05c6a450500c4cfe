"""The index of several runs in one folder: `audits.json`, and `audits.html` that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from faultlens.cli.planned_runs import INDEX_PAGE
from faultlens.cli.screen import say, say_json
from faultlens.errors import UserError

if TYPE_CHECKING:
    from faultlens.auditing.result.task_index import TaskFinding, TaskIndex


def folder_of_runs(out: Path | None) -> Path:
    """The folder for the runs and their index. Raises UserError for one that holds other things."""
    from faultlens.auditing.result.task_index import TaskIndex
    from faultlens.runs.files import read_object
    from faultlens.runs.folder import MANIFEST

    if out is None:
        raise UserError(
            "several tasks are written to a run folder each: give --out FOLDER, in which they lie"
        )
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file: expected a folder for the runs, choose another --out")
    if (out / MANIFEST).exists():
        raise UserError(
            f"{out} holds a run: expected a folder in which the runs of several tasks lie, choose "
            "another --out"
        )
    index = read_object(out / TaskIndex.FILE)
    if index is not None:
        try:
            TaskIndex.from_dict(index)
        except UserError as error:
            raise UserError(f"{out / TaskIndex.FILE}: {error}; or choose another --out") from error
    elif (out / INDEX_PAGE).exists():
        raise UserError(
            f"{out} holds {INDEX_PAGE}, and no {TaskIndex.FILE} says that FaultLens wrote it: "
            "choose another --out"
        )
    return out


@dataclass
class RunIndex:
    """What was found so far, written anew with each task.

    Attributes:
        out: the folder of the runs.
        names: of all tasks, in their order.
        found: by name.
    """

    out: Path
    names: Sequence[str]
    found: dict[str, TaskFinding] = field(default_factory=dict)

    @property
    def index(self) -> TaskIndex:
        """Those that are known, in the order in which the tasks were named."""
        from faultlens.auditing.result.task_index import TaskIndex

        return TaskIndex([self.found[name] for name in self.names if name in self.found])

    def take(self, finding: TaskFinding) -> None:
        """Take in what was found of a task."""
        from faultlens.report.audit.task_index import index_document
        from faultlens.report.html import build_page
        from faultlens.runs.files import write_text

        self.found[finding.task] = finding
        self.index.save(self.out)
        write_text(self.out / INDEX_PAGE, build_page(index_document(self.index)))

    def tell(self, json: bool) -> None:
        """Say what was found of all. Raises UserError for tasks that could not be audited."""
        from faultlens.auditing.over_tasks import could_not_be_audited
        from faultlens.report.audit.task_index import index_document
        from faultlens.report.terminal.summary import document_lines

        if json:
            say_json(self.index.to_dict())
        else:
            page = f"The index: {self.out / INDEX_PAGE}"
            say([*document_lines(index_document(self.index)), page])
        refused = {one.task: one.refused for one in self.index.tasks if one.refused is not None}
        if refused:
            raise could_not_be_audited(refused, len(self.names))
