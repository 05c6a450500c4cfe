"""What is observed of answers that are there: no model is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix

from faultlens.auditing.behaviour.recorded import recorded_outcomes
from faultlens.auditing.config import AuditConfig
from faultlens.auditing.observed import Observed
from faultlens.corpus.answers import Answers
from faultlens.errors import UserError
from faultlens.features.matrix import as_matrix
from faultlens.features.table import FeatureTable, check_values


def observe_answers(
    answers: Answers,
    tables: Mapping[str, FeatureTable],
    residuals: Mapping[str, np.ndarray | csr_matrix],
    config: AuditConfig,
) -> Observed:
    """Score answers that are there, and take the tables that came with them.

    Args:
        answers: prompts, what was generated, perhaps whether it is right.
        tables: by dictionary, one row a prompt, in the order of the prompts; may be empty.
        residuals: by layer, `[prompts, d]`, for the ladder; may be empty.
        config: the rule.

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
    check_values(tables, "any prompt")
    rule_name, outcomes = recorded_outcomes(answers, config.rule)
    dense = [m.toarray() if isinstance(m, csr_matrix) else m for m in matrices.values()]
    residual = np.hstack(dense) if dense else None
    return Observed(
        name=answers.task.name,
        outcomes=outcomes,
        rule=rule_name,
        factors=answers.task.factors,
        groups=answers.task.groups,
        tables=tables,
        ladder_inputs=lambda: (residual, None),
        warnings=[*answers.task.notes, *_unused(answers)],
    )


def _unused(answers: Answers) -> list[str]:
    """What is said of rewordings where there is no model to run them."""
    if not any(prompt.rewordings for prompt in answers.task.prompts):
        return []
    return [
        "rewordings were given, and no model is run: nothing is measured on them; read the prompts "
        "through the model that answered them (--model)"
    ]


def _checked_table(name: str, table: FeatureTable) -> FeatureTable:
    """A table that was brought, as CSR. Raises UserError for values that no feature has."""
    matrix = csr_matrix(as_matrix(f"table {name}", table.matrix))
    if (matrix.data < 0).any():
        raise UserError(f"table {name} holds negative values: expected activations, which are >= 0")
    return replace(table, matrix=matrix)
