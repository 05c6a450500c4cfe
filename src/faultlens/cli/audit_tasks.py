"""Several tasks of `faultlens audit`: a run folder each, and an index of them.

    OUT/TASK/                  a run, as auditing that task alone writes it
    OUT/audits.json            what was found of each; audits.html shows it, with links

A run that is there, whole, of the same prompts, model, options and versions is not made again, so
that the same command, killed, goes on with the tasks that are left; so does one that names more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from faultlens.auditing.config import AuditConfig
from faultlens.cli.audit_options import BaseOptions
from faultlens.cli.audit_task import (
    as_chat_noted,
    as_workers_have_it,
    first_of,
    record_base,
    spread_of,
)
from faultlens.cli.lens import load_base, open_lens
from faultlens.cli.options import Invocation
from faultlens.cli.planned_runs import PlannedRun, planned_runs
from faultlens.cli.run import Findings, identity, record_lens, token_texts_of, write_run
from faultlens.cli.run_index import RunIndex, folder_of_runs
from faultlens.cli.run_options import LabelOptions, RunOptions
from faultlens.cli.screen import progress_bars, warn
from faultlens.errors import UserError
from faultlens.models.lens_config import LensConfig
from faultlens.scale.config import SpreadConfig

if TYPE_CHECKING:
    from faultlens.auditing.over_tasks import TaskAudit
    from faultlens.auditing.result.task_index import TaskFinding
    from faultlens.corpus.task import Task
    from faultlens.features.lens import Lens
    from faultlens.models.model import Model


def audit_several(
    tasks: Sequence[tuple[str, Task | Mapping[int, Task]]],
    lens: LensConfig,
    config: AuditConfig,
    labels: LabelOptions,
    base: BaseOptions,
    spread: SpreadConfig,
    run: RunOptions,
    call: Invocation,
) -> None:
    """Audit every task by itself, here or each by a worker, and say what came of all of them.

    Args:
        tasks: as each was named, and its prompts.

    Raises UserError for what stands against writing and, once all others are written, for tasks
    that could not be audited.
    """
    from faultlens.auditing.over_tasks import TaskJob, audit_each

    out = folder_of_runs(run.out)
    planned = planned_runs(tasks, out, call)
    index = RunIndex(out, [one.name for one in planned])
    lens = as_workers_have_it(lens, spread)
    left: dict[str, PlannedRun] = {}
    jobs: list[TaskJob] = []
    with ExitStack() as held, progress_bars() as bars:
        for one in planned:
            held.enter_context(one.held)
            if not one.has_arguments:
                one.take_folder(run.overwrite)
        workers = held.enter_context(spread.opened(lens.threads, lens.device))
        opened = open_lens(lens, config.reading.fit_check, bars, needs_dictionaries=False)
        untuned = load_base(lens, bars) if base.against_base else None
        for one in planned:
            why = _inputs_noted(one, opened, config, labels, untuned)
            if why is not None:
                index.take(one.refused(why))
            elif one.claim is None and one.is_there:
                index.take(one.found_before())
            else:
                left[one.name] = one
                jobs.append(TaskJob(one.name, one.task, one.begun(run.overwrite)))
        for done in audit_each(
            opened, jobs,
            config=config, base=untuned, recorded=True, progress=bars,
            spread=None if spread.ray is None else spread_of(workers, lens, opened, base),
        ):  # fmt: skip
            index.take(_written(left[done.name], done, opened))
    index.tell(run.json)


def _inputs_noted(
    one: PlannedRun, opened: Lens, config: AuditConfig, labels: LabelOptions, base: Model | None
) -> str | None:
    """Note what a run is made of, the task as the model reads it; why that cannot be, or None."""
    one.manifest.inputs["task"] = identity(first_of(one.task))
    record_lens(one.manifest, opened)
    one.labels = labels.of((d.name for d in opened.dictionaries), one.manifest)
    try:
        one.task = as_chat_noted(one.task, opened, config, one.manifest)
    except UserError as error:
        return str(error)
    if base is not None:
        record_base(one.manifest, base)
    return None


def _written(one: PlannedRun, done: TaskAudit, opened: Lens) -> TaskFinding:
    """Write a task's run, and let its folder go."""
    from faultlens.auditing.result.task_index import TaskFinding

    assert one.claim is not None
    assert one.kept is not None
    with one.held:
        if done.audit is None:
            return one.refused(done.refused or "")
        found = Findings(
            audit=done.audit,
            task_read=done.read if opened.dictionaries else None,
            task=first_of(one.task),
            task_tokens=token_texts_of(opened, done.token_ids),
            labels=one.labels,
        )
        write_run(one.claim, one.manifest, found)
        one.kept.forget()
    warn([f"{one.name}: {warning}" for warning in done.audit.warnings])
    return TaskFinding.of(one.name, one.folder.name, done.audit)
