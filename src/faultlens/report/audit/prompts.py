"""The prompts: each with what the model made of it."""

from __future__ import annotations

from collections.abc import Sequence

from faultlens.auditing.result import PromptOutcome
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import clipped, counted, number
from faultlens.report.parts import Cell, Column, Row, Table, table

NOTHING, NOT_RECORDED = "(nothing)", "not recorded"
FIRST_PROMPTS = 20
LISTED = 2_000  # prompts on the page; the tables on disk hold all


def sentence(audit: Audit) -> str:
    """How many prompts are listed, and where the others are."""
    if len(audit.outcomes) <= LISTED:
        return f"All {counted(len(audit.outcomes), 'prompt')}, failures first."
    return (
        f"The first {LISTED:,} of {counted(len(audit.outcomes), 'prompt')}, failures first; "
        "tables/prompts.parquet holds all of them."
    )


def prompts_table(audit: Audit) -> Table:
    """Every prompt with its outcome, failures first; the first ones, where there are very many."""
    ordered = sorted(audit.outcomes, key=lambda outcome: outcome.success)[:LISTED]
    columns, rows = _rows(ordered)
    return Table(
        "Prompts and outcomes.", columns, rows, first=FIRST_PROMPTS, rows_are="prompts",
        browsable=True,
    )  # fmt: skip


def failures_table(caption: str, failed: Sequence[PromptOutcome], first: int) -> Table:
    """Some failures, a row each."""
    columns, rows = _rows(failed)
    return table(caption, columns, rows, first, "failures")


def _rows(outcomes: Sequence[PromptOutcome]) -> tuple[tuple[Column, ...], tuple[Row, ...]]:
    """A row a prompt; logits are left out where none was recorded."""
    columns = [
        Column("Prompt"),
        Column("Target"),
        Column("Generated"),
        Column("Kind", chosen="Kind"),
    ]
    cells = [_cells(outcome) for outcome in outcomes]
    logits = {
        Column(
            "Target − foil", "right", "Difference of their logits at the answer, in nats."
        ): [outcome.logit_difference for outcome in outcomes],
        Column(
            "Target − strongest other", "right", "The same against the strongest other token."
        ): [outcome.margin for outcome in outcomes],
    }  # fmt: skip
    for column, values in logits.items():
        if any(value is not None for value in values):
            columns.append(column)
            for row, value in zip(cells, values, strict=True):
                row.append(
                    Cell(NOT_RECORDED) if value is None else Cell(number(value), value=value)
                )
    return tuple(columns), tuple(Row(tuple(row)) for row in cells)


def _cells(outcome: PromptOutcome) -> list[Cell]:
    generated = NOT_RECORDED
    if outcome.generated is not None:
        generated = clipped(outcome.generated, 120) or NOTHING
    return [
        Cell(clipped(outcome.prompt, 300)),
        Cell(outcome.target.strip(), _also(outcome.accepted)),
        Cell(generated),
        Cell(outcome.kind),
    ]


def _also(accepted: list[str]) -> str:
    """Further answers that would have been right, as far as there is room."""
    return clipped(f"or {', '.join(accepted)}", 60) if accepted else ""
