"""What is observed of a task that the model runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from faultlens.auditing.activations.as_trained import as_trained
from faultlens.auditing.activations.generated import Generated
from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.activations.task_tokens import (
    TaskTokens,
    token_warnings,
    tokenize,
)
from faultlens.auditing.behaviour.against_base import BaseRun
from faultlens.auditing.behaviour.answer_scores import score_warnings
from faultlens.auditing.behaviour.chat import as_chat
from faultlens.auditing.behaviour.generation import run_task
from faultlens.auditing.behaviour.leads import lead_notes, with_leads
from faultlens.auditing.behaviour.outcomes import Rule, check_targets, resolve_rule
from faultlens.auditing.config import AuditConfig
from faultlens.auditing.dictionary_sources import no_dictionaries
from faultlens.auditing.held_out.inputs import residual_and_random
from faultlens.auditing.held_out.whole_values import pooled_values
from faultlens.auditing.interventions.causal_tests import CausalTests
from faultlens.auditing.interventions.redecoding import first_block
from faultlens.auditing.named_features import parse_feature_sets
from faultlens.auditing.observed import LadderInputs, Observed
from faultlens.auditing.result import PromptOutcome
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.features.reading_notes import reading_notes, sentences_of
from faultlens.features.recorder import Recorder
from faultlens.models.model import Model
from faultlens.models.start_ids import shown
from faultlens.models.start_token import start_of
from faultlens.progress import Progress
from faultlens.runs.checkpoint import Checkpoint

READ_TWICE = (
    "prompts are read twice: outcomes, interventions and attribution are of the pass in which the "
    "model answers, behind its own start token; feature tests and the baseline ladder are of the "
    "dictionaries' reading, behind theirs"
)
"""What an audit has to say where model and dictionaries expect different start tokens."""


@dataclass(frozen=True)
class _Outcomes:
    """What the model did, as it is kept.

    Attributes:
        outcomes: under its own start token.
        accuracy_by_start: under it and under the dictionaries', where that is another; else empty.
    """

    outcomes: list[PromptOutcome]
    accuracy_by_start: dict[str, float]


@dataclass(frozen=True, eq=False)
class _Tokens:
    """A task in tokens.

    Attributes:
        answering: behind the model's own start token.
        trained: behind the dictionaries'; None where they agree.
    """

    answering: TaskTokens
    trained: TaskTokens | None

    @classmethod
    def of(cls, lens: Lens, task: Task) -> _Tokens:
        answering = tokenize(task, lens.model)
        return cls(answering, as_trained(lens, task, answering))


@dataclass(frozen=True, eq=False)
class _Seen:
    """What a model and its dictionaries hold in a task's tokens.

    Attributes:
        answering: in the pass in which the model answers, behind its own start token.
        trained: behind the dictionaries' start token; the same where they agree.
    """

    answering: TaskActivations
    trained: TaskActivations


def observe_task(
    lens: Lens,
    task: Task,
    config: AuditConfig,
    *,
    progress: Progress,
    recorder: Recorder | None,
    kept: Checkpoint,
    base: Model | None = None,
    known: Sequence[PromptOutcome] | None = None,
) -> Observed:
    """Run a task, and read its prompts.

    Args:
        lens: the model, and the dictionaries it is read through.
        task: the prompts.
        config: rule, pooling, and what is tested by intervening.
        progress: told of the stages.
        recorder: takes in the prompts' token-level activations, and which tokens they are of;
            None: nobody keeps them.
        kept: finished stages of the same audit, interrupted before.
        base: the model that the lens's was tuned from, to be run on the same prompts.
        known: the outcomes, where the task was run elsewhere; None: it is run here.

    Raises:
        UserError: an unknown rule, a prompt that does not fit, features to test that there are not
            or that never fire.
    """
    task = as_chat(task, lens.model, config.conversation)
    rule, decides = resolve_rule(task.rule if config.rule is None else config.rule)
    check_targets(task, rule)
    requested = parse_feature_sets(config.interventions.test_features, lens)
    tokens = _Tokens.of(lens, task)
    blocks = [first_block(dictionary) for dictionary in lens.dictionaries]
    new_tokens = tokens.answering.new_tokens
    generated = Generated.for_rows(lens.model, blocks, tokens.answering.rows, new_tokens)

    def run() -> _Outcomes:
        return _run(lens, task, tokens, decides, progress, generated)

    done = kept.once("outcomes", _Outcomes, run) if known is None else _Outcomes(list(known), {})
    of_base = None
    if base is not None:
        of_base = _run_base(base, lens, task, tokens.answering, decides, kept, progress)
    led = with_leads(task, [outcome.before_answer for outcome in done.outcomes])
    seen = _read(lens, led, tokens if led is task else _Tokens.of(lens, led), config, recorder,
                 progress)  # fmt: skip
    causal_tests = CausalTests.configured(
        config, lens, led, seen.answering, done.outcomes,
        rule=decides, requested=requested, progress=progress, kept=kept,
        generated=generated if led is task else None,
    )  # fmt: skip
    warnings = causal_tests.check_requested()
    inputs, left_out = _ladder_inputs(lens, seen, config, progress)
    return Observed(
        name=task.name,
        outcomes=done.outcomes,
        rule=rule,
        factors=task.factors,
        groups=task.groups,
        tables=seen.trained.tables,
        ladder_inputs=inputs,
        causal_tests=causal_tests,
        no_dictionaries=no_dictionaries(lens),
        base=of_base,
        accuracy_by_start=done.accuracy_by_start,
        warnings=[
            *task.notes, *_answer_notes(led, done.outcomes, seen), *warnings,
            *reading_notes(seen.trained.tables), *left_out, *lens.warnings,
            *([] if seen.trained is seen.answering else [READ_TWICE]),
        ],
    )  # fmt: skip


def _run(
    lens: Lens, task: Task, tokens: _Tokens, rule: Rule, progress: Progress, generated: Generated
) -> _Outcomes:
    """What the model does, behind its own start token and, in short, behind the dictionaries'.

    The first of these runs is taken in by `generated`.
    """
    tick = progress.start("Running the task", len(task))
    outcomes = run_task(lens, task, tokens.answering, rule, tick, generated)
    if tokens.trained is None:
        return _Outcomes(outcomes, {})
    behind = run_task(lens, task, tokens.trained, rule)
    return _Outcomes(
        outcomes,
        {
            start_of(lens.model).shown: _accuracy(outcomes),
            shown(lens.model, tokens.trained.start): _accuracy(behind),
        },
    )


def _accuracy(outcomes: Sequence[PromptOutcome]) -> float:
    return sum(outcome.success for outcome in outcomes) / len(outcomes)


def _run_base(
    base: Model,
    lens: Lens,
    task: Task,
    tokens: TaskTokens,
    rule: Rule,
    kept: Checkpoint,
    progress: Progress,
) -> BaseRun:
    """What the base does on the same prompts. Raises UserError if it reads other tokens in them."""
    if tokens.rows != tokenize(task, base).rows:
        raise UserError(
            f"the base {base.name} reads other tokens in the prompts of {task.name} than the "
            "tuned model does: expected models that share a tokenizer"
        )

    def run() -> _Outcomes:
        tick = progress.start("Running the base", len(task))
        return _Outcomes(run_task(replace(lens, model=base), task, tokens, rule, tick), {})

    outcomes = kept.once("base-outcomes", _Outcomes, run).outcomes
    return BaseRun(base.name, lens.model.tuning, outcomes)


def _read(
    lens: Lens,
    task: Task,
    tokens: _Tokens,
    config: AuditConfig,
    recorder: Recorder | None,
    progress: Progress,
) -> _Seen:
    read = tokens.trained or tokens.answering
    store = None
    if recorder is not None:
        store, recorder.token_ids = recorder.activations, read.own
    trained = TaskActivations.read(
        lens, task, read, pooling=config.reading.pooling, store=store,
        progress=progress.start("Reading the prompts", len(task)),
    )  # fmt: skip
    if tokens.trained is None:
        return _Seen(trained, trained)
    return _Seen(TaskActivations.read(lens, task, tokens.answering), trained)


def _ladder_inputs(
    lens: Lens, seen: _Seen, config: AuditConfig, progress: Progress
) -> tuple[Callable[[], LadderInputs], list[str]]:
    """What the ladder is climbed from, and which tokens were left out of it, a sentence each."""
    pooling = config.reading.pooling
    if lens.dictionaries or not config.ladder.baselines:
        return lambda: residual_and_random(lens, seen.trained, pooling, config.seed, progress), []
    whole = pooled_values(seen.answering.values, seen.answering.reader, pooling)
    return lambda: (whole.residual, None), sentences_of(whole.left_out)


def _answer_notes(task: Task, outcomes: Sequence[PromptOutcome], seen: _Seen) -> list[str]:
    """What a reader should know of the answers and of how they are scored."""
    tokens = seen.answering.tokens
    return [
        *lead_notes(task, [outcome.generated or "" for outcome in outcomes]),
        *token_warnings(task, tokens),
        *score_warnings(task, tokens),
    ]
