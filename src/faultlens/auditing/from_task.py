"""What is observed of a task that the model runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.activations.task_tokens import token_warnings, tokenize
from faultlens.auditing.behaviour.answer_scores import score_warnings
from faultlens.auditing.behaviour.generation import run_task
from faultlens.auditing.behaviour.outcomes import (
    LogitRule,
    Rule,
    check_targets,
    resolve_rule,
    right_answer,
)
from faultlens.auditing.config import AuditConfig
from faultlens.auditing.held_out.inputs import residual_and_random
from faultlens.auditing.interventions.causal_tests import CausalTests
from faultlens.auditing.interventions.decoding import Succeeds
from faultlens.auditing.named_features import parse_feature_sets
from faultlens.auditing.observed import Observed
from faultlens.auditing.result import PromptOutcome
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.features.reading_notes import reading_notes
from faultlens.features.store import ActivationStore
from faultlens.progress import Progress
from faultlens.runs.checkpoint import Checkpoint


@dataclass(frozen=True)
class _Outcomes:
    """What the model did, as it is kept."""

    outcomes: list[PromptOutcome]


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
        UserError: an unknown rule, a prompt that does not fit, a dictionary without BOS, features
            to test that there are not or that never fire.
    """
    rule, decides = resolve_rule(task.rule if config.rule is None else config.rule)
    _check_task(lens, task, rule)
    requested = parse_feature_sets(config.interventions.test_features, lens)
    tokens = tokenize(task, lens.model)

    def run() -> _Outcomes:
        tick = progress.start("Running the task", len(task))
        return _Outcomes(run_task(lens, task, tokens, decides, tick))

    outcomes = kept.once("outcomes", _Outcomes, run).outcomes
    pooling = config.reading.pooling
    activations = TaskActivations.read(
        lens, task, tokens, pooling=pooling, store=store,
        progress=progress.start("Reading the prompts", len(task)),
    )  # fmt: skip

    causal_tests = CausalTests(
        lens=lens,
        task=task,
        activations=activations,
        margin=np.array([outcome.margin for outcome in outcomes]),
        failed=np.array([not outcome.success for outcome in outcomes]),
        succeeds=_succeeds(decides, task, lens),
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
        tables=activations.tables,
        ladder_inputs=lambda: residual_and_random(
            lens, activations, pooling, config.seed, progress
        ),
        causal_tests=causal_tests,
        warnings=[
            *task.notes,
            *token_warnings(task, tokens),
            *score_warnings(task, tokens),
            *warnings,
            *reading_notes(activations.tables),
            *lens.warnings,
        ],
    )


def _succeeds(rule: Rule, task: Task, lens: Lens) -> Succeeds:
    """The rule, for prompts that are answered anew."""
    if isinstance(rule, LogitRule):
        return rule
    of_text, decode = rule, lens.model.tokenizer.decode

    def answered(ids: list[int], index: int) -> bool:
        return right_answer(task.prompts[index], decode(ids), of_text) is not None

    return answered


def _check_task(lens: Lens, task: Task, rule: str) -> None:
    """Raises UserError for what can be known to fail before the model runs."""
    for dictionary in lens.dictionaries:
        if not dictionary.convention.prepend_bos:
            raise UserError(
                f"dictionary {dictionary.name} was trained without BOS, which an audit does not "
                "support yet: choose other dictionaries"
            )
    check_targets(task, rule)
