"""Sources: where an audit's outcomes and features come from: a task that is run, or answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse import csr_matrix

from faultlens.auditing.activations.task_tokens import token_warnings, tokenize
from faultlens.auditing.behaviour.generation import run_task
from faultlens.auditing.behaviour.outcomes import (
    DEFAULT_RULE,
    check_targets,
    resolve_rule,
    right_answer,
)
from faultlens.auditing.behaviour.scored_answers import score_answers
from faultlens.auditing.config import AuditConfig
from faultlens.auditing.held_out.inputs import residual_and_random
from faultlens.auditing.interventions.causal_tests import CausalTests
from faultlens.auditing.named_features import read_suspects
from faultlens.auditing.result import PromptOutcome
from faultlens.corpus.answers import Answers
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.features.matrix import as_matrix
from faultlens.features.store import ActivationStore
from faultlens.features.table import FeatureTable
from faultlens.progress import Progress
from faultlens.runs.checkpoint import Checkpoint

LadderInputs = tuple[np.ndarray | None, csr_matrix | None]
"""The residual `[prompts, d]`, and the random dictionary's activations; None: there is none."""


@dataclass(frozen=True, eq=False)
class Observed:
    """What an audit concludes from: outcomes, what describes the prompts, and what was measured.

    Attributes:
        name: the task's.
        outcomes: one a prompt.
        rule: the name of the rule that decided them.
        factors: for each factor the level of every prompt; empty: they are read off the prompts.
        tables: by dictionary, rows = prompts; may be empty.
        ladder_inputs: called when the ladder is climbed.
        causal_tests: tests features by intervening in the model; None: there is no model.
        warnings: what a reader should know of how the source was read, a sentence each.
    """

    name: str
    outcomes: Sequence[PromptOutcome]
    rule: str
    factors: Mapping[str, Sequence[str]]
    tables: Mapping[str, FeatureTable] = field(default_factory=dict)
    ladder_inputs: Callable[[], LadderInputs] = lambda: (None, None)
    causal_tests: CausalTests | None = None
    warnings: Sequence[str] = ()


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
    rule, succeeds = resolve_rule(DEFAULT_RULE if config.rule is None else config.rule)
    _check_task(lens, task, rule)
    requested = read_suspects(config.interventions.test_features, lens)
    tokens = tokenize(task, lens.model)

    def run() -> _Outcomes:
        tick = progress.start("Running the task", len(task))
        return _Outcomes(run_task(lens, task, tokens, succeeds, tick))

    outcomes = kept.once("outcomes", _Outcomes, run).outcomes
    texts = [prompt.text for prompt in task.prompts]
    pooling = config.reading.pooling
    tables = lens.read(
        texts, pooling, progress=progress.start("Reading the prompts", len(texts)), store=store
    )

    def answered(ids: list[int], index: int) -> bool:
        text = lens.model.tokenizer.decode(ids)
        return right_answer(task.prompts[index], text, succeeds) is not None

    causal_tests = CausalTests(
        lens=lens,
        task=task,
        tokens=tokens,
        margin=np.array([outcome.margin for outcome in outcomes]),
        failed=np.array([not outcome.success for outcome in outcomes]),
        succeeds=answered,
        alpha=config.alpha,
        seed=config.seed,
        searched=config.interventions.test_attributed,
        progress=progress,
        kept=kept,
        named=requested,
    )
    warnings = causal_tests.check_named()
    return Observed(
        name=task.name,
        outcomes=outcomes,
        rule=rule,
        factors=task.factors,
        tables=tables,
        ladder_inputs=lambda: residual_and_random(
            lens, causal_tests.values, pooling, config.seed, progress
        ),
        causal_tests=causal_tests,
        warnings=[
            *_unused_columns(task),
            *token_warnings(task, tokens),
            *warnings,
            *lens.warnings,
        ],
    )


def observe_answers(
    answers: Answers,
    tables: Mapping[str, FeatureTable],
    residuals: Mapping[str, np.ndarray | csr_matrix],
    config: AuditConfig,
    warnings: Sequence[str] = (),
) -> Observed:
    """Score answers that are there, and take the tables that came with them.

    Args:
        answers: prompts, what was generated, perhaps whether it is right.
        tables: by dictionary, one row a prompt, in the order of the prompts; may be empty.
        residuals: by layer, `[prompts, d]`, for the ladder; may be empty.
        config: the rule.
        warnings: what the result has to say of the tables.

    Raises:
        UserError: rows that do not match, values that are not finite or, of features, negative, an
            unknown rule, or one without continuations to apply it to.
    """
    tables = {name: _checked_table(name, table) for name, table in tables.items()}
    matrices = {
        name: as_matrix(f"the residual matrix {name}", matrix) for name, matrix in residuals.items()
    }
    sizes = {f"table {name}": table.n_texts for name, table in tables.items()}
    sizes |= {f"the residual matrix {n}": m.shape[0] for n, m in matrices.items()}
    for name, rows in sizes.items():
        if rows != len(answers):
            raise UserError(f"{name} has {rows} rows, but there are {len(answers)} prompts")
    scored = score_answers(answers, config.rule)
    dense = [m.toarray() if isinstance(m, csr_matrix) else m for m in matrices.values()]
    residual = np.hstack(dense) if dense else None
    return Observed(
        name=answers.task.name,
        outcomes=scored.outcomes,
        rule=scored.rule,
        factors=answers.task.factors,
        tables=tables,
        ladder_inputs=lambda: (residual, None),
        warnings=warnings,
    )


def _check_task(lens: Lens, task: Task, rule: str) -> None:
    """Raises UserError for what can be known to fail before the model runs."""
    for dictionary in lens.dictionaries:
        if not dictionary.convention.prepend_bos:
            raise UserError(
                f"dictionary {dictionary.name} was trained without BOS, which an audit does not "
                "support yet: choose other dictionaries"
            )
    check_targets(task, rule)


def _unused_columns(task: Task) -> list[str]:
    """What a reader should know of how the task was read."""
    if not task.unused:
        return []
    return [
        f"{', '.join(task.unused)}: nothing is made of these columns of the task; what describes a "
        "prompt belongs under 'factors'"
    ]


def _checked_table(name: str, table: FeatureTable) -> FeatureTable:
    """A table that was brought, as CSR. Raises UserError for values that no feature has."""
    matrix = csr_matrix(as_matrix(f"table {name}", table.matrix))
    if (matrix.data < 0).any():
        raise UserError(f"table {name} holds negative values: expected activations, which are >= 0")
    return replace(table, matrix=matrix)
