"""One task of `faultlens audit`: its prompts, the lens, and who does the work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from faultlens.auditing.config import AuditConfig
from faultlens.cli.audit_options import BaseOptions, RewordingOptions, TaskOptions
from faultlens.cli.lens import load_base, open_lens
from faultlens.cli.run import Findings, identity, record_lens, resumable, token_texts_of
from faultlens.cli.run_options import LabelOptions
from faultlens.cli.screen import progress_bars
from faultlens.errors import UserError
from faultlens.models.lens_config import LensConfig
from faultlens.progress import SILENT
from faultlens.scale.config import SpreadConfig

if TYPE_CHECKING:
    from faultlens.auditing.spread import Spread
    from faultlens.corpus.task import Task
    from faultlens.features.lens import Lens
    from faultlens.models.model import Model
    from faultlens.runs.claim import Claim
    from faultlens.runs.folder import Manifest
    from faultlens.scale.workers import Workers


def is_file(name: str) -> bool:
    """Whether a task that is named so is a file of prompts."""
    return Path(name).is_file() or Path(name).suffix in (".jsonl", ".json")


def prompts_of(name: str, given: TaskOptions, reworded: RewordingOptions) -> Task | dict[int, Task]:
    """The task that is named; by seed where several are given."""
    import faultlens.corpus.tasks  # noqa: F401  (importing them registers the built-in tasks)
    from faultlens.corpus.task import make_task, read_task

    if is_file(name):
        return read_task(Path(name), reworded.rewordings)
    if reworded.rewordings is not None:
        raise UserError(
            f"--rewordings names a column of a file of prompts, and {name} is a task that is made: "
            "expected TASK.jsonl, or --outcomes FILE"
        )
    if given.seeds:
        return {seed: make_task(name, given.n, seed) for seed in given.seeds}
    return make_task(name, given.n, given.task_seed)


def first_of(task: Task | Mapping[int, Task]) -> Task:
    """The prompts that are reported: those of the first seed."""
    return next(iter(task.values())) if isinstance(task, Mapping) else task


def audit_one(
    task: Task | Mapping[int, Task],
    lens: LensConfig,
    config: AuditConfig,
    labels: LabelOptions,
    claim: Claim | None,
    manifest: Manifest,
    base: BaseOptions,
    spread: SpreadConfig,
) -> Findings:
    """Run a task, with one set of prompts or several by seed."""
    import faultlens as fl
    from faultlens.features.recorder import Recorder

    manifest.inputs["task"] = identity(first_of(task))
    lens = as_workers_have_it(lens, spread)
    recorder = None if claim is None else Recorder()
    with progress_bars() as bars, spread.opened(lens.threads, lens.device) as workers:
        opened = open_lens(lens, config.reading.fit_check, bars, needs_dictionaries=False)
        record_lens(manifest, opened)
        named = labels.of((d.name for d in opened.dictionaries), manifest)
        task = as_chat_noted(task, opened, config, manifest)
        untuned = None
        if base.against_base:
            untuned = load_base(lens, bars)
            record_base(manifest, untuned)
        with resumable(claim, manifest) as kept:
            found = fl.audit(
                opened,
                task,
                config=config,
                base=untuned,
                recorder=recorder,
                checkpoint=kept,
                spread=None if spread.ray is None else spread_of(workers, lens, opened, base),
                progress=bars,
            )
    first = first_of(task)
    if recorder is None:
        return Findings(audit=found, task=first, kept=kept, labels=named)
    tokens = token_texts_of(opened, recorder.token_ids)
    read = recorder.activations if opened.dictionaries else None
    return Findings(
        audit=found, task_read=read, task=first, task_tokens=tokens, kept=kept, labels=named
    )


def as_workers_have_it(lens: LensConfig, spread: SpreadConfig) -> LensConfig:
    """The same with as many threads as each worker has, so that whoever computes gives the same."""
    return lens if spread.ray is None or lens.threads is not None else replace(lens, threads=1)


def spread_of(workers: Workers, config: LensConfig, opened: Lens, base: BaseOptions) -> Spread:
    """Workers, each with the same lens as this process."""
    from faultlens.auditing.spread import Spread

    return Spread(
        workers,
        partial(_opened_as, config, opened.fit_check),
        partial(load_base, config, SILENT) if base.against_base else None,
    )


def _opened_as(config: LensConfig, fit_check: Mapping[str, str]) -> Lens:
    import faultlens as fl

    return replace(fl.load(config=config), fit_check=fit_check)


def record_base(manifest: Manifest, base: Model) -> None:
    """Note which model the prompts were run by as well."""
    manifest.inputs["base"] = {"name": base.name, "digest": base.digest}


def as_chat_noted(
    task: Task | Mapping[int, Task], lens: Lens, config: AuditConfig, manifest: Manifest
) -> Task | Mapping[int, Task]:
    """The task as the model reads it, noted in the manifest where a chat template renders it."""
    from faultlens.auditing.behaviour.chat import as_chat, chat_record

    asked = config.conversation
    if isinstance(task, Mapping):
        task = {seed: as_chat(of_seed, lens.model, asked) for seed, of_seed in task.items()}
    else:
        task = as_chat(task, lens.model, asked)
    record = chat_record(first_of(task), lens.model, asked)
    if record is not None:
        manifest.inputs["chat"] = record
    return task
