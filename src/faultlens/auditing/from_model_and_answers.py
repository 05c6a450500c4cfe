"""What is observed of answers that are there, read through the model that gave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from faultlens.auditing.activations.answered_prompts import (
    start_of_answers,
    texts_read,
    tokens_to_read,
)
from faultlens.auditing.activations.as_trained import as_trained
from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.activations.task_tokens import TaskTokens, token_warnings, tokenize
from faultlens.auditing.behaviour.answer_scores import score_warnings
from faultlens.auditing.behaviour.conversations import as_model_reads
from faultlens.auditing.behaviour.outcomes import GIVEN, Rule, resolve_rule
from faultlens.auditing.behaviour.recorded import recorded_outcomes
from faultlens.auditing.behaviour.rescoring import Rescored, rescored, rescoring_warnings
from faultlens.auditing.config import AuditConfig
from faultlens.auditing.from_task import READ_TWICE
from faultlens.auditing.held_out.inputs import residual_and_random
from faultlens.auditing.interventions.causal_tests import CausalTests
from faultlens.auditing.named_features import parse_feature_sets
from faultlens.auditing.observed import Observed
from faultlens.auditing.result import PromptOutcome, Rescoring
from faultlens.corpus.answers import Answers
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.features.reading_notes import reading_notes
from faultlens.features.recorder import Recorder
from faultlens.features.text_tokens import ids_in_front
from faultlens.models.start_ids import shown
from faultlens.progress import Progress
from faultlens.runs.checkpoint import Checkpoint

WITH_ANSWER = (
    "features were read from prompts and answers (--with-answer), and an answer that is there "
    "cannot turn out otherwise"
)


def observe_answers_of(
    lens: Lens,
    answers: Answers,
    config: AuditConfig,
    *,
    progress: Progress,
    recorder: Recorder | None,
    kept: Checkpoint,
) -> Observed:
    """Read the prompts of answers that are there; nothing is generated to decide an outcome.

    Features are tested by intervening where the model, scored again, fails and succeeds as the log
    says.

    Args:
        lens: the model, and the dictionaries it is read through.
        answers: prompts, what was generated, perhaps whether it is right.
        config: rule, pooling, how prompts are read, and what is tested by intervening.
        progress: told of the stages.
        recorder: takes in the token-level activations, and which tokens they are of; None: nobody
            keeps them.
        kept: finished stages of the same audit, interrupted before.

    Raises:
        UserError: a prompt that does not fit, an unknown rule, one without continuations to apply
            it to, or features to test where nothing can be tested.
    """
    answers, notes = as_model_reads(answers, lens.model)
    rule, outcomes = recorded_outcomes(answers, config.rule)
    asked = answers.task.rule if config.rule is None else config.rule
    decides = None if rule == GIVEN else resolve_rule(asked)
    tick = progress.start("Scoring the answers again", 1)
    again, found = _scored_again(lens, answers, outcomes, decides, config)
    tick(1)
    tokens = _tokens_read(lens, answers, again, config.answers.with_answer)
    store = None
    if recorder is not None:
        store, recorder.token_ids = recorder.activations, tokens.own
    pooling = config.reading.pooling
    read = TaskActivations.read(
        lens, answers.task, tokens, pooling=pooling, store=store,
        progress=progress.start("Reading the prompts", len(answers)),
    )  # fmt: skip
    if again is not None:
        outcomes = [_with_score(o, again, i) for i, o in enumerate(outcomes)]
    tests = None
    if found.reason is None and again is not None:
        same = tokens is again.tokens
        activations = read if same else TaskActivations.read(lens, answers.task, again.tokens)
        notes = notes if same else [*notes, READ_TWICE]
        assert again.rule is not None, "what cannot be scored again has a reason"
        tests = CausalTests.configured(
            config, lens, answers.task, activations, outcomes, rule=again.rule,
            requested=parse_feature_sets(config.interventions.test_features, lens),
            progress=progress, kept=kept,
        )  # fmt: skip
        notes = [*notes, *tests.check_requested()]
    elif config.interventions.test_features:
        raise UserError(f"test_features cannot be tested: {found.reason}")
    if again is not None:
        notes = [*notes, *token_warnings(answers.task, again.tokens),
                 *score_warnings(answers.task, again.tokens)]  # fmt: skip
    return Observed(
        name=answers.task.name,
        outcomes=outcomes,
        rule=rule,
        factors=answers.task.factors,
        groups=answers.task.groups,
        tables=read.tables,
        ladder_inputs=lambda: residual_and_random(lens, read, pooling, config.seed, progress),
        causal_tests=tests,
        rescoring=found,
        warnings=[
            *answers.task.notes, *rescoring_warnings(found), *notes, *reading_notes(read.tables),
            *lens.warnings,
        ],
    )  # fmt: skip


def _scored_again(
    lens: Lens,
    answers: Answers,
    outcomes: Sequence[PromptOutcome],
    rule: tuple[str, Rule] | None,
    config: AuditConfig,
) -> tuple[Rescored | None, Rescoring]:
    """How far the model gives the log's answers again.

    Where answers have no tokens behind their prompts nothing is scored, and that is the reason.
    """
    start = start_of_answers(lens.model, answers)
    try:
        tokens = tokenize(answers.task, lens.model, start)
    except UserError as error:
        return None, Rescoring(None, str(error), shown(lens.model, start))
    again = rescored(lens.model, answers, outcomes, tokens, rule, config.seed)
    found = again.found
    if config.answers.with_answer:
        found = replace(found, reason=WITH_ANSWER)
    return again, found


def _tokens_read(
    lens: Lens, answers: Answers, again: Rescored | None, with_answer: bool
) -> TaskTokens:
    """What features are read of, behind what the dictionaries were trained with."""
    if again is not None and not with_answer:
        return as_trained(lens, answers.task, again.tokens) or again.tokens
    texts, front = texts_read(answers, with_answer), ids_in_front(lens.model, lens.dictionaries)
    return tokens_to_read(answers.task.name, texts, lens.model, front)


def _with_score(outcome: PromptOutcome, again: Rescored, prompt: int) -> PromptOutcome:
    """An outcome with what the model says of its answer; a difference that the log has stays."""
    score, difference = again.scores[prompt], outcome.logit_difference
    return replace(
        outcome,
        logit_difference=score.difference if difference is None else difference,
        margin=score.margin,
        target_log_probability=score.log_probability,
    )
