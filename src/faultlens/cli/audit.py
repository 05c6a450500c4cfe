"""`faultlens audit`: which features go with failure on a task, and whether they matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from faultlens.auditing.config import (
    AnswerReadingConfig,
    AuditConfig,
    ChatConfig,
    InterventionConfig,
)
from faultlens.checks import check_whole
from faultlens.cli.lens import load_base, open_lens
from faultlens.cli.matrices import MatrixOptions, read_residuals, read_tables, refuse_reading
from faultlens.cli.options import Invocation, flag
from faultlens.cli.run import (
    Findings,
    begin,
    finish,
    identity,
    record_lens,
    resumable,
    run_claimed,
    token_texts_of,
)
from faultlens.cli.run_options import LabelOptions, RunOptions
from faultlens.cli.screen import progress_bars, warn
from faultlens.cli.values import Form
from faultlens.config import options
from faultlens.corpus.logs.log_options import LogOptions
from faultlens.errors import UserError
from faultlens.models.lens_config import NO_ADAPTER, LensConfig
from faultlens.scale.config import SpreadConfig

if TYPE_CHECKING:
    from faultlens.auditing.spread import Spread
    from faultlens.corpus.answers import Answers
    from faultlens.corpus.task import Task
    from faultlens.features.lens import Lens
    from faultlens.runs.claim import Claim
    from faultlens.runs.folder import Manifest
    from faultlens.scale.workers import Workers


@dataclass(frozen=True)
class TaskOptions:
    """The prompts of a built-in task."""

    n: int | None = None
    """Number of prompts; by default 300, or all of a task that has fewer (208 of
    sycophancy, 288 of unanswerable, 168 of over-refusal)."""
    task_seed: int | None = None
    """Seed of the prompts; by default 42 for ioi, 0 for the others."""
    seeds: tuple[int, ...] = ()
    """Two or more seeds, e.g. `0,1,2,3,4`: the same audit on the prompts of each. The first is
    reported, with the verdicts that hold on the others."""

    def __post_init__(self) -> None:
        if self.n is not None:
            check_whole("-n", self.n, 1)
        if self.seeds and self.task_seed is not None:
            raise UserError(
                "--task-seed goes with one set of prompts: the seeds are those of --seeds"
            )
        if self.seeds and (len(self.seeds) < 2 or len(set(self.seeds)) < len(self.seeds)):
            raise UserError(f"seeds {list(self.seeds)}: expected two or more, all different")


@dataclass(frozen=True)
class BaseOptions:
    """A tuned model against its base."""

    against_base: bool = False
    """Run the same prompts by the model without `--adapter` as well: which failures are new, which
    are gone, and at which levels of a factor."""


@dataclass(frozen=True)
class OutcomeOptions:
    """Outcomes that are there, in place of a task."""

    outcomes: Path | None = None
    """An evaluation log (inspect_ai, lm-eval, every-eval-ever), or a table (JSONL, CSV, TSV,
    Parquet) of prompts with their targets, and with what was generated or whether it succeeded;
    `faultlens outcomes FILE` says what is understood of it. With `--model` (or `--sae`) the prompts
    are read through the model that answered them; without, no model is run."""
    factors: tuple[str, ...] = ()
    """Columns that are factors: of a table by default all that are not known otherwise, of a log
    its metadata."""
    residuals: Annotated[Mapping[str, Path], Form("LAYER=FILE", "8=residuals.npy")] = field(
        default_factory=dict
    )
    """Residuals, prompts × d, for the baseline ladder; may be repeated."""


@dataclass(frozen=True)
class RewordingOptions:
    """Prompts in other words."""

    rewordings: str | None = None
    """Column of a task file, or of a table of outcomes, with each prompt in other words (a text, or
    a list of texts): where an effect is shown, it is measured on these again, and the ledger says
    what became of it. By default the column `rewordings`, if there is one."""


TASKS = (
    "A built-in task (ioi, classic-ioi, mini-ioi, agreement, brackets, greater-than, induction; of "
    "chat models sycophancy, unanswerable, over-refusal), one that an installed package offers, or "
    "a JSONL file of prompts"
)


def audit(
    task: Annotated[str | None, TASKS] = None,
    *,
    prompts: TaskOptions,
    base: BaseOptions,
    outcomes: OutcomeOptions,
    reworded: RewordingOptions,
    log: LogOptions,
    lens: LensConfig,
    matrices: MatrixOptions,
    config: AuditConfig,
    labels: LabelOptions,
    spread: SpreadConfig,
    run: RunOptions,
    call: Invocation,
) -> None:
    """Which features go with failure on a task, and whether taking them away changes it."""
    meaningless = _refuse_what_does_not_go_together(task, outcomes, matrices, call)
    if spread.ray is not None and task is None:
        raise UserError("--ray spreads the audit of a task that is run: it goes with a task")
    with run_claimed(run.out, run.overwrite) as claim:
        manifest = begin(call, meaningless)
        if task is None and _with_model(call):
            answers = _answers(outcomes, reworded, log, manifest)
            found = _of_model_and_outcomes(answers, lens, config, labels, claim, manifest)
        elif task is None:
            answers = _answers(outcomes, reworded, log, manifest)
            found = _of_outcomes(answers, outcomes, matrices, config, labels, manifest)
        else:
            _check_base(base, lens)
            given = _prompts(task, prompts, reworded)
            found = _of_task(given, lens, config, labels, claim, manifest, base, spread)
        assert found.audit is not None
        warn(found.audit.warnings)
        finish(claim, manifest, found, run.json)


def _of_task(
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

    first = next(iter(task.values())) if isinstance(task, Mapping) else task
    manifest.inputs["task"] = identity(first)
    if spread.ray is not None and lens.threads is None:
        lens = replace(lens, threads=1)  # as many as the workers have
    recorder = None if claim is None else Recorder()
    with progress_bars() as bars, spread.opened(lens.threads, lens.device) as workers:
        opened = open_lens(lens, config.reading.fit_check, bars, needs_dictionaries=False)
        record_lens(manifest, opened)
        named = labels.of((d.name for d in opened.dictionaries), manifest)
        task = _as_chat(task, opened, config, manifest)
        untuned = None
        if base.against_base:
            untuned = load_base(lens, bars)
            manifest.inputs["base"] = {"name": untuned.name, "digest": untuned.digest}
        first = next(iter(task.values())) if isinstance(task, Mapping) else task
        with resumable(claim, manifest) as kept:
            found = fl.audit(
                opened,
                task,
                config=config,
                base=untuned,
                recorder=recorder,
                checkpoint=kept,
                spread=None if spread.ray is None else _spread(workers, lens, opened),
                progress=bars,
            )
    if recorder is None:
        return Findings(audit=found, task=first, kept=kept, labels=named)
    tokens = token_texts_of(opened, recorder.token_ids)
    read = recorder.activations if opened.dictionaries else None
    return Findings(
        audit=found, task_read=read, task=first, task_tokens=tokens, kept=kept, labels=named
    )


def _spread(workers: Workers, config: LensConfig, opened: Lens) -> Spread:
    """Workers that audit other seeds, each through the same lens as this process."""
    from faultlens.auditing.spread import Spread

    return Spread(workers, partial(_opened_as, config, opened.fit_check))


def _opened_as(config: LensConfig, fit_check: Mapping[str, str]) -> Lens:
    import faultlens as fl

    return replace(fl.load(config=config), fit_check=fit_check)


def _check_base(base: BaseOptions, lens: LensConfig) -> None:
    if base.against_base and lens.adapter in (None, NO_ADAPTER):
        raise UserError(
            "--against-base compares a tuned model with the one it was tuned from: give the "
            "adapter (--adapter FOLDER)"
        )


def _as_chat(
    task: Task | Mapping[int, Task], lens: Lens, config: AuditConfig, manifest: Manifest
) -> Task | Mapping[int, Task]:
    """The task as the model reads it, noted in the manifest where a chat template renders it."""
    from faultlens.auditing.behaviour.chat import as_chat, chat_record

    asked = config.conversation
    if isinstance(task, Mapping):
        task = {seed: as_chat(of_seed, lens.model, asked) for seed, of_seed in task.items()}
        first = next(iter(task.values()))
    else:
        first = task = as_chat(task, lens.model, asked)
    record = chat_record(first, lens.model, asked)
    if record is not None:
        manifest.inputs["chat"] = record
    return task


def _of_outcomes(
    answers: Answers,
    given: OutcomeOptions,
    matrices: MatrixOptions,
    config: AuditConfig,
    labels: LabelOptions,
    manifest: Manifest,
) -> Findings:
    """Audit outcomes that are there, with the matrices that came with them."""
    import faultlens as fl

    tables = read_tables(matrices, [prompt.text for prompt in answers.task.prompts], manifest)
    residuals = read_residuals(given.residuals, len(answers), manifest)
    named = labels.of(tables, manifest)
    with progress_bars() as bars:
        found = fl.audit(tables, answers, config=config, residuals=residuals, progress=bars)
    return Findings(audit=found, task=answers.task, labels=named)


def _of_model_and_outcomes(
    answers: Answers,
    lens: LensConfig,
    config: AuditConfig,
    labels: LabelOptions,
    claim: Claim | None,
    manifest: Manifest,
) -> Findings:
    """Audit outcomes that are there, their prompts read through the model that answered them."""
    import faultlens as fl
    from faultlens.features.recorder import Recorder

    recorder = Recorder()
    with progress_bars() as bars:
        opened = open_lens(lens, config.reading.fit_check, bars)
        record_lens(manifest, opened)
        named = labels.of((d.name for d in opened.dictionaries), manifest)
        with resumable(claim, manifest) as kept:
            found = fl.audit(
                opened, answers, config=config, recorder=recorder, checkpoint=kept, progress=bars
            )
    return Findings(
        audit=found,
        task=answers.task,
        task_read=recorder.activations,
        task_tokens=token_texts_of(opened, recorder.token_ids),
        kept=kept,
        labels=named,
    )


def _answers(
    given: OutcomeOptions, reworded: RewordingOptions, log: LogOptions, manifest: Manifest
) -> Answers:
    import faultlens as fl

    assert given.outcomes is not None
    answers = fl.read_answers(
        given.outcomes, given.factors or None, rewordings=reworded.rewordings, **log.chosen
    )
    manifest.inputs["outcomes"] = {"name": answers.task.name, "digest": answers.digest}
    return answers


def _with_model(call: Invocation) -> bool:
    """Whether the outcomes' prompts are to be read through a model: one is named, or an SAE."""
    return "model" in call.given or "sae" in call.given


def _refuse_what_does_not_go_together(
    task: str | None, outcomes: OutcomeOptions, matrices: MatrixOptions, call: Invocation
) -> tuple[str, ...]:
    """The names of the options that mean nothing in this call."""
    if (task is None) == (outcomes.outcomes is None):
        raise UserError(
            "expected a task to run (ioi, mini-ioi, or a JSONL file) or --outcomes FILE, not both "
            "and not neither"
        )
    records = (TaskOptions, BaseOptions, ChatConfig)
    of_task = [name for record in records for name in options(record)]
    of_answers = options(AnswerReadingConfig)
    if task is None and _with_model(call):
        for name in of_task:
            if name in call.given:
                raise UserError(f"{flag(name)} goes with a task that is run, not with --outcomes")
        for name in (*options(MatrixOptions), "residuals"):
            if name in call.given:
                raise UserError(
                    f"{flag(name)} takes the place of a model: leave it out, or --model and --sae"
                )
        return (*of_task, *options(MatrixOptions), "residuals")
    if task is None:
        meaningless = refuse_reading(
            call, "--outcomes", [*of_task, *options(InterventionConfig), *of_answers]
        )
        matrices.check_pooled()
        return meaningless
    for name in (*options(MatrixOptions), *options(LogOptions), *of_answers, "residuals",
                 "factors"):  # fmt: skip
        if name in call.given:
            raise UserError(
                f"{flag(name)} goes with --outcomes: a task that is run is read by itself"
            )
    if _is_file(task):
        for name in options(TaskOptions):
            if name in call.given:
                raise UserError(
                    f"{flag(name)} goes with a built-in task: the prompts of {task} are as they are"
                )
    return ()


def _prompts(name: str, given: TaskOptions, reworded: RewordingOptions) -> Task | dict[int, Task]:
    """The task that is named; by seed where several are given."""
    import faultlens.corpus.tasks  # noqa: F401  (importing them registers the built-in tasks)
    from faultlens.corpus.task import make_task, read_task

    if _is_file(name):
        return read_task(Path(name), reworded.rewordings)
    if reworded.rewordings is not None:
        raise UserError(
            f"--rewordings names a column of a file of prompts, and {name} is a task that is made: "
            "expected TASK.jsonl, or --outcomes FILE"
        )
    if given.seeds:
        return {seed: make_task(name, given.n, seed) for seed in given.seeds}
    return make_task(name, given.n, given.task_seed)


def _is_file(name: str) -> bool:
    return Path(name).is_file() or Path(name).suffix in (".jsonl", ".json")
