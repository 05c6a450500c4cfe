"""An audit of a task that the model runs, with all that only a model at hand allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

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
from faultlens.auditing.held_out.inputs import residual_and_random
from faultlens.auditing.interventions.causal_tests import CausalTests
from faultlens.auditing.interventions.decoding import Succeeds
from faultlens.auditing.named_features import parse_feature_sets
from faultlens.auditing.replication.agreement import with_replication
from faultlens.auditing.replication.seeds import Corpus, robustness
from faultlens.auditing.result import PromptOutcome
from faultlens.auditing.result.audit import Audit
from faultlens.auditing.study import ALPHA, AuditConfig, Observed, audit_outcomes
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.features.pooled_tables import reading_notes
from faultlens.features.store import ActivationStore
from faultlens.features.table import FeatureTable
from faultlens.progress import SILENT, Progress
from faultlens.runs.checkpoint import Checkpoint

REPEATS_ELSEWHERE = 2  # of the ladder, on the prompts of other seeds


@dataclass(frozen=True)
class _Run:
    """What the model did, as it is kept."""

    outcomes: list[PromptOutcome]


def audit_task(
    lens: Lens,
    task: Task,
    *,
    rule: str | Rule | None = None,
    pooling: str = "max",
    config: AuditConfig | None = None,
    progress: Progress = SILENT,
    store: ActivationStore | None = None,
    kept: Checkpoint | None = None,
) -> Audit:
    """Run a task, and audit what goes with its failures.

    Args:
        lens: the model, and the dictionaries it is read through.
        task: the prompts.
        rule: what counts as success: a pre-listed name, or a function `(generated, target)`; None:
            the task's own, else `exact-word`.
        pooling: how a prompt's token activations become one number.
        config: how to carry it out; None: as by default.
        progress: told of the stages.
        store: takes in the prompts' token-level activations.
        kept: finished stages of the same audit, interrupted before.

    Raises:
        UserError: an unknown rule or pooling, or a prompt that does not fit.
    """
    config, kept = config or AuditConfig(), kept or Checkpoint()
    return _audited(lens, task, rule, pooling, config, progress, store, kept)[0]


def audit_over_seeds(
    lens: Lens,
    make: Callable[[int], Task],
    seeds: Sequence[int],
    *,
    rule: str | Rule | None = None,
    pooling: str = "max",
    config: AuditConfig | None = None,
    progress: Progress = SILENT,
    store: ActivationStore | None = None,
    kept: Checkpoint | None = None,
) -> Audit:
    """Audit the first seed's prompts, and say which verdicts hold on those of the others.

    Args:
        make: the task with the prompts of a seed.
        seeds: two or more, all different; the first is the one that is reported.
        store: takes in the first seed's activations.

    The other arguments are those of `audit_task`. On the other seeds the ladder is climbed with
    two repeats, named suspects are not tried and causes not searched for by attribution; nothing
    else is left out.

    Raises:
        UserError: fewer than two seeds, or one twice; and what `audit_task` raises.
    """
    if len(seeds) < 2 or len(set(seeds)) < len(seeds):
        raise UserError(f"seeds {list(seeds)}: expected two or more, all different")
    config, kept = config or AuditConfig(), kept or Checkpoint()
    corpora = []
    for place, seed in enumerate(seeds):
        here = config
        if place:
            here = replace(config, repeats=REPEATS_ELSEWHERE, suspects=(), searched=0)
        audit, tables = _audited(
            lens, make(seed), rule, pooling, here, progress,
            store if place == 0 else None, kept.within(f"seed-{seed}"),
        )  # fmt: skip
        corpora.append(Corpus(seed, audit, tables))
    first = corpora[0].audit
    found = replace(first, robustness=robustness(lens, corpora, first.robustness))
    return with_replication(found)


def _audited(
    lens: Lens,
    task: Task,
    rule: str | Rule | None,
    pooling: str,
    config: AuditConfig,
    progress: Progress,
    store: ActivationStore | None,
    kept: Checkpoint,
) -> tuple[Audit, Mapping[str, FeatureTable]]:
    """The audit of one set of prompts, and the tables that it concluded from."""
    rule_name, decides = resolve_rule(rule or task.rule)
    _check(lens, task, rule_name)
    named = parse_feature_sets(config.suspects, lens)
    tokens = tokenize(task, lens.model)

    def run() -> _Run:
        tick = progress.start("Running the task", len(task))
        return _Run(run_task(lens, task, tokens, decides, tick))

    outcomes = kept.once("outcomes", _Run, run).outcomes
    activations = TaskActivations.read(
        lens, task, tokens, pooling=pooling, store=store,
        progress=progress.start("Reading the prompts", len(task)),
    )  # fmt: skip

    causal_tests = CausalTests(
        lens,
        task,
        activations,
        np.array([outcome.margin for outcome in outcomes]),
        np.array([not outcome.success for outcome in outcomes]),
        _succeeds(decides, task, lens),
        ALPHA,
        config.seed,
        config.searched,
        progress,
        kept,
        named,
    )
    of_named = causal_tests.check_named()
    observed = Observed(
        task.name,
        outcomes,
        rule_name,
        task.factors,
        activations.tables,
        lambda: residual_and_random(lens, activations, pooling, config.seed, progress),
        causal_tests,
    )
    found = audit_outcomes(observed, config, progress, kept)
    if named and not found.named:
        ended = None if found.verdict is None else str(found.verdict)
        found = replace(found, named=causal_tests.none_tested(ended))
    warnings = [
        *task.notes, *token_warnings(task, tokens), *score_warnings(task, tokens), *of_named,
        *reading_notes(activations.tables), *found.warnings,
    ]  # fmt: skip
    return replace(found, warnings=warnings), activations.tables


def _succeeds(rule: Rule, task: Task, lens: Lens) -> Succeeds:
    """The rule, for prompts that are answered anew."""
    if isinstance(rule, LogitRule):
        return rule
    of_text, decode = rule, lens.model.tokenizer.decode

    def answered(ids: list[int], index: int) -> bool:
        return right_answer(task.prompts[index], decode(ids), of_text) is not None

    return answered


def _check(lens: Lens, task: Task, rule: str) -> None:
    """Raises UserError for what can be known to fail before the model runs."""
    for dictionary in lens.dictionaries:
        if not dictionary.convention.prepend_bos:
            raise UserError(
                f"dictionary {dictionary.name} was trained without BOS, which an audit does not "
                "support yet: choose other dictionaries"
            )
    check_targets(task, rule)
