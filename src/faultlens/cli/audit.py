"""`faultlens audit`: which features go with failure on a task, and whether they matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from faultlens.auditing.config import (
    AnswerReadingConfig,
    AuditConfig,
    ChatConfig,
    InterventionConfig,
)
from faultlens.cli.audit_options import (
    BaseOptions,
    OutcomeOptions,
    RewordingOptions,
    TaskOptions,
)
from faultlens.cli.audit_task import audit_one, is_file, prompts_of
from faultlens.cli.audit_tasks import audit_several
from faultlens.cli.lens import open_lens
from faultlens.cli.matrices import MatrixOptions, read_residuals, read_tables, refuse_reading
from faultlens.cli.options import Invocation, flag
from faultlens.cli.run import (
    Findings,
    begin,
    finish,
    record_lens,
    resumable,
    run_claimed,
    token_texts_of,
)
from faultlens.cli.run_options import LabelOptions, RunOptions
from faultlens.cli.screen import progress_bars, warn
from faultlens.config import options
from faultlens.corpus.logs.log_options import LogOptions
from faultlens.errors import UserError
from faultlens.models.lens_config import LensConfig
from faultlens.scale.config import SpreadConfig

if TYPE_CHECKING:
    from faultlens.corpus.answers import Answers
    from faultlens.runs.claim import Claim
    from faultlens.runs.folder import Manifest

TASKS = (
    "A built-in task (ioi, classic-ioi, mini-ioi, agreement, brackets, greater-than, induction; of "
    "chat models sycophancy, unanswerable, over-refusal), one that an installed package offers, or "
    "a JSONL file of prompts. Several are audited each by itself, into a run folder each in --out"
)


def audit(
    task: Annotated[tuple[str, ...], TASKS] = (),
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
    _refuse_what_does_not_go_together(task, outcomes, call)
    meaningless = _meaningless(task, matrices, call)
    if spread.ray is not None and not task:
        raise UserError("--ray spreads the audit of a task that is run: it goes with a task")
    base.check(lens)
    if len(task) > 1:
        given = [(name, prompts_of(name, prompts, reworded)) for name in task]
        audit_several(given, lens, config, labels, base, spread, run, call)
        return
    with run_claimed(run.out, run.overwrite) as claim:
        manifest = begin(call, meaningless)
        if task:
            one = prompts_of(task[0], prompts, reworded)
            found = audit_one(one, lens, config, labels, claim, manifest, base, spread)
        elif _with_model(call):
            answers = _answers(outcomes, reworded, log, manifest)
            found = _of_model_and_outcomes(answers, lens, config, labels, claim, manifest)
        else:
            answers = _answers(outcomes, reworded, log, manifest)
            found = _of_outcomes(answers, outcomes, matrices, config, labels, manifest)
        assert found.audit is not None
        warn(found.audit.warnings)
        finish(claim, manifest, found, run.json)


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


OF_TASK = [name for record in (TaskOptions, BaseOptions, ChatConfig) for name in options(record)]


def _refuse_what_does_not_go_together(
    tasks: Sequence[str], outcomes: OutcomeOptions, call: Invocation
) -> None:
    if bool(tasks) == (outcomes.outcomes is not None):
        raise UserError(
            "expected a task to run (ioi, mini-ioi, or a JSONL file) or --outcomes FILE, not both "
            "and not neither"
        )
    if not tasks:
        return
    for name in (*options(MatrixOptions), *options(LogOptions), *options(AnswerReadingConfig),
                 "residuals", "factors"):  # fmt: skip
        if name in call.given:
            raise UserError(
                f"{flag(name)} goes with --outcomes: a task that is run is read by itself"
            )
    for task in filter(is_file, tasks):
        for name in options(TaskOptions):
            if name in call.given:
                raise UserError(
                    f"{flag(name)} goes with a built-in task: the prompts of {task} are as they are"
                )


def _meaningless(
    tasks: Sequence[str], matrices: MatrixOptions, call: Invocation
) -> tuple[str, ...]:
    """The names of the options that mean nothing in this call. Raises UserError for one given."""
    if tasks:
        return ()
    if _with_model(call):
        for name in OF_TASK:
            if name in call.given:
                raise UserError(f"{flag(name)} goes with a task that is run, not with --outcomes")
        for name in (*options(MatrixOptions), "residuals"):
            if name in call.given:
                raise UserError(
                    f"{flag(name)} takes the place of a model: leave it out, or --model and --sae"
                )
        return (*OF_TASK, *options(MatrixOptions), "residuals")
    of_answers = options(AnswerReadingConfig)
    meaningless = refuse_reading(
        call, "--outcomes", [*OF_TASK, *options(InterventionConfig), *of_answers]
    )
    matrices.check_pooled()
    return meaningless
