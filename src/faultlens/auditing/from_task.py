"""What is observed of a task that the model runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.activations.task_tokens import TaskTokens, token_warnings, tokenize
from faultlens.auditing.behaviour.answer_scores import score_warnings
from faultlens.auditing.behaviour.generation import run_task
from faultlens.auditing.behaviour.outcomes import Rule, check_targets, resolve_rule
from faultlens.auditing.config import AuditConfig
from faultlens.auditing.held_out.inputs import residual_and_random
from faultlens.auditing.interventions.causal_tests import CausalTests
from faultlens.auditing.interventions.decoding import succeeds_by
from faultlens.auditing.named_features import parse_feature_sets
from faultlens.auditing.observed import Observed
from faultlens.auditing.result import PromptOutcome
from faultlens.corpus.task import Task
from faultlens.features.lens import Lens
from faultlens.features.reading_notes import reading_notes
from faultlens.features.store import ActivationStore
from faultlens.features.text_tokens import ids_in_front
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


def observe_task(
    lens: Lens,
    task: Task,
    config: AuditConfig,
    *,
    progress: Progress,
    store: ActivationStore | None,
    kept: Checkpoint,
) -> Observed:
    """Run a task, and read its prompts.

    Args:
        lens: the model, and the dictionaries it is read through.
        task: the prompts.
        config: rule, pooling, and what is tested by intervening.
        progress: told of the stages.
        store: takes in the prompts' token-level activations.
        kept: finished stages of the same audit, interrupted before.

    Raises:
        UserError: an unknown rule, a prompt that does not fit, features to test that there are not
            or that never fire.
    """
    rule, decides = resolve_rule(task.rule if config.rule is None else config.rule)
    check_targets(task, rule)
    requested = parse_feature_sets(config.interventions.test_features, lens)
    tokens = tokenize(task, lens.model)
    trained = as_trained(lens, task, tokens)

    def run() -> _Outcomes:
        tick = progress.start("Running the task", len(task))
        outcomes = run_task(lens, task, tokens, decides, tick)
        return _Outcomes(outcomes, _accuracies(lens, task, outcomes, trained, decides))

    done = kept.once("outcomes", _Outcomes, run)
    outcomes = done.outcomes
    pooling = config.reading.pooling
    read = TaskActivations.read(
        lens, task, trained or tokens, pooling=pooling, store=store,
        progress=progress.start("Reading the prompts", len(task)),
    )  # fmt: skip
    activations = read if trained is None else TaskActivations.read(lens, task, tokens)

    causal_tests = CausalTests(
        lens=lens,
        task=task,
        activations=activations,
        margin=np.array([outcome.margin for outcome in outcomes]),
        failed=np.array([not outcome.success for outcome in outcomes]),
        succeeds=succeeds_by(decides, task, lens.model),
        alpha=config.alpha,
        seed=config.seed,
        attributed=config.interventions.test_attributed,
        stop_early=config.interventions.stop_early,
        progress=progress,
        kept=kept,
        requested=requested,
    )
    warnings = causal_tests.check_requested()
    return Observed(
        name=task.name,
        outcomes=outcomes,
        rule=rule,
        factors=task.factors,
        groups=task.groups,
        tables=read.tables,
        ladder_inputs=lambda: residual_and_random(lens, read, pooling, config.seed, progress),
        causal_tests=causal_tests,
        accuracy_by_start=done.accuracy_by_start,
        warnings=[
            *task.notes,
            *token_warnings(task, tokens),
            *score_warnings(task, tokens),
            *warnings,
            *reading_notes(read.tables),
            *lens.warnings,
            *([] if trained is None else [READ_TWICE]),
        ],
    )


def as_trained(lens: Lens, task: Task, tokens: TaskTokens) -> TaskTokens | None:
    """The task behind what the dictionaries were trained with; None: the model expects the same."""
    front = ids_in_front(lens.model, lens.dictionaries)
    return None if front == tokens.start else tokenize(task, lens.model, front)


def _accuracies(
    lens: Lens,
    task: Task,
    outcomes: Sequence[PromptOutcome],
    as_trained: TaskTokens | None,
    rule: Rule,
) -> dict[str, float]:
    """Accuracy behind the model's own start token, and behind the dictionaries'."""
    if as_trained is None:
        return {}
    others = run_task(lens, task, as_trained, rule)
    return {
        start_of(lens.model).shown: _accuracy(outcomes),
        shown(lens.model, as_trained.start): _accuracy(others),
    }


def _accuracy(outcomes: Sequence[PromptOutcome]) -> float:
    return sum(outcome.success for outcome in outcomes) / len(outcomes)
