"""Planned runs: the folders and manifests of several tasks, and which of them are there already."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from faultlens.cli.audit_task import is_file
from faultlens.cli.options import Invocation, flag
from faultlens.cli.run import anywhere, begin, run_key
from faultlens.cli.values import as_typed
from faultlens.errors import UserError
from faultlens.runs.checkpoint import Checkpoint
from faultlens.runs.claim import Claim, claimed, work_folder
from faultlens.runs.files import file_name, json_text
from faultlens.runs.folder import AUDIT, PAGE, Manifest, read_manifest, read_result, written_file
from faultlens.runs.lock import held

INDEX, INDEX_PAGE = "audits.json", "audits.html"  # beside the runs

if TYPE_CHECKING:
    from faultlens.auditing.result.task_index import TaskFinding
    from faultlens.corpus.task import Task


@dataclass
class PlannedRun:
    """The run of one of several tasks.

    Attributes:
        name: as it was given.
        task: its prompts; by seed where several sets are compared.
        folder: of its run.
        manifest: of its run, as auditing that task alone begins it.
        claim: on the folder; None until nothing stands against it.
        held: holds the claim.
        kept: its finished stages.
        labels: of features, somebody's.
    """

    name: str
    task: Task | Mapping[int, Task]
    folder: Path
    manifest: Manifest
    claim: Claim | None = None
    held: ExitStack = field(default_factory=ExitStack)
    kept: Checkpoint | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def take_folder(self, overwrite: bool) -> None:
        """Claim the folder, if it is not claimed yet; raises UserError for what is in the way."""
        if self.claim is None:
            self.claim = self.held.enter_context(claimed(self.folder, overwrite))

    @property
    def has_arguments(self) -> bool:
        """Whether a run of these arguments is there; what else decides it shows with the model."""
        try:
            found = read_manifest(self.folder)
        except UserError:
            return False
        return found is not None and anywhere(found["arguments"]) == anywhere(
            self.manifest.arguments
        )

    @property
    def is_there(self) -> bool:
        """Whether the run that is there is the one that is wanted, every file as it was written."""
        try:
            found = read_manifest(self.folder)
            if found is None:
                return False
            wanted = json.loads(json_text(run_key(self.manifest)))
            same = {name: found.get(name) for name in wanted}
            same["arguments"] = anywhere(found["arguments"])
            return same == wanted and all(
                written_file(self.folder, name) for name in found["files"]
            )
        except UserError:
            return False

    def begun(self, overwrite: bool) -> Checkpoint:
        """Its finished stages, once its inputs are known. Raises UserError as `take_folder`."""
        self.take_folder(overwrite)
        assert self.claim is not None
        self.kept = Checkpoint.kept_in(self.claim.work, run_key(self.manifest))
        return self.kept

    def refused(self, why: str) -> TaskFinding:
        """That the task cannot be audited: nothing of it is kept, it would end there again."""
        from faultlens.auditing.result.task_index import TaskFinding

        if self.kept is not None:
            self.kept.forget()
        self.held.close()
        return TaskFinding.of_refused(self.name, why)

    def found_before(self) -> TaskFinding:
        """What the run that is there says; what a killed process left beside it goes.

        Its page, to which the index leads, is built again where it is gone.
        """
        from faultlens.auditing.result.audit import Audit
        from faultlens.auditing.result.task_index import TaskFinding
        from faultlens.report.page import write_page

        work, has_page = work_folder(self.folder), (self.folder / PAGE).is_file()
        if work.is_dir() or not has_page:
            with held(work, self.folder):
                if not has_page:
                    write_page(self.folder)
                Checkpoint(work).forget()
        audit = Audit.from_dict(read_result(self.folder, AUDIT) or {})
        return TaskFinding.of(self.name, self.folder.name, audit)


def planned_runs(
    tasks: Sequence[tuple[str, Task | Mapping[int, Task]]], out: Path, call: Invocation
) -> list[PlannedRun]:
    """Every task with its folder.

    Raises UserError if two were written to one, also where case does not tell names apart.
    """
    planned: dict[str, PlannedRun] = {}
    for name, task in tasks:
        folder = file_name(Path(name).stem if is_file(name) else name)
        same = folder.casefold()
        if folder.startswith(".") or same in (INDEX, INDEX_PAGE):
            raise UserError(
                f"{name} would be written to {out / folder}, which is no place for a run: give the "
                "file another name"
            )
        if same in planned:
            other = planned[same]
            where = (
                f"both be written to {out / folder}" if other.folder.name == folder else
                f"be written to {other.folder} and {out / folder}, which is one folder where case "
                "does not count"
            )  # fmt: skip
            raise UserError(
                f"{other.name} and {name} would {where}: name each task once, and files by "
                "different names"
            )
        alone = _alone(call, name, out / folder)
        manifest = begin(alone)
        manifest.command = _command(alone)
        planned[same] = PlannedRun(name, task, out / folder, manifest)
    return list(planned.values())


def _alone(call: Invocation, name: str, folder: Path) -> Invocation:
    """The call that audits one task alone into its folder."""
    own = {"task": (name,), "out": folder}
    without = ("ray", "workers", "json", "overwrite")
    given = {option: value for option, value in call.given.items() if option not in without}
    return Invocation({**given, **own}, {**call.in_force, **own, "overwrite": False})


def _command(call: Invocation) -> list[str]:
    """A call as it would be typed."""
    (task,) = call.given["task"]
    words = ["faultlens", "audit", task]
    for name, value in call.given.items():
        if isinstance(value, bool):
            words.append(flag(name if value else f"no_{name}"))
        elif name != "task":
            text = as_typed(value)
            words += [f"{flag(name)}={text}"] if text.startswith("-") else [flag(name), text]
    return words
