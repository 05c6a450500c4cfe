"""An audit of outcomes that came with their answers: no model is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix

from faultlens.auditing.behaviour.outcomes import Rule
from faultlens.auditing.behaviour.recorded import recorded_outcomes
from faultlens.auditing.result.audit import Audit
from faultlens.auditing.study import AuditConfig, Observed, audit_outcomes
from faultlens.corpus.answers import Answers
from faultlens.errors import UserError
from faultlens.features.matrix import as_matrix
from faultlens.features.table import FeatureTable, check_values
from faultlens.progress import SILENT, Progress


def audit_answers(
    answers: Answers,
    tables: Mapping[str, FeatureTable] | None = None,
    residuals: Mapping[str, np.ndarray | csr_matrix] | None = None,
    *,
    rule: str | Rule | None = None,
    config: AuditConfig | None = None,
    progress: Progress = SILENT,
) -> Audit:
    """Audit outcomes that came with their answers; no model is run.

    Args:
        answers: prompts, what was generated, perhaps whether it is right.
        tables: by dictionary, one row a prompt, in the order of the prompts; may be left out.
        residuals: by layer, `[prompts, d]`, for the ladder; may be left out.
        rule: what counts as success; None: what the answers say, else the task's own, else
            `exact-word`.
        config: how to carry it out; None: as by default.
        progress: told of the stages.

    Raises:
        UserError: rows that do not match, values that are not finite, an unknown rule, a rule
            without continuations to apply it to.
    """
    tables = {name: _checked(name, table) for name, table in (tables or {}).items()}
    matrices = {
        name: as_matrix(f"the residual matrix {name}", matrix)
        for name, matrix in (residuals or {}).items()
    }
    sizes = {f"table {name}": table.n_texts for name, table in tables.items()}
    sizes |= {f"the residual matrix {n}": m.shape[0] for n, m in matrices.items()}
    for name, rows in sizes.items():
        if rows != len(answers):
            raise UserError(f"{name} has {rows} rows, but there are {len(answers)} prompts")
    check_values(tables, "any prompt")
    rule_name, outcomes = recorded_outcomes(answers, rule)
    dense = [m.toarray() if isinstance(m, csr_matrix) else m for m in matrices.values()]
    residual = np.hstack(dense) if dense else None
    observed = Observed(
        answers.task.name,
        outcomes,
        rule_name,
        answers.task.factors,
        tables,
        lambda: (residual, None),
    )
    found = audit_outcomes(observed, config or AuditConfig(), progress)
    return replace(found, warnings=[*answers.task.notes, *found.warnings])


def _checked(name: str, table: FeatureTable) -> FeatureTable:
    """A table that was brought, as CSR. Raises UserError for values that no feature has."""
    matrix = csr_matrix(as_matrix(f"table {name}", table.matrix))
    if (matrix.data < 0).any():
        raise UserError(f"table {name} holds negative values: expected activations, which are >= 0")
    return replace(table, matrix=matrix)
