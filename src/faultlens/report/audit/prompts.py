"""The prompts: each with what the model made of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faultlens.auditing.result import PromptOutcome
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import clipped, counted, listed, number
from faultlens.report.parts import Cell, Column, Row, Table, table
from faultlens.report.prompt_readings import PromptReadings

NOTHING, NOT_RECORDED = "(nothing)", "not recorded"
FIRST_PROMPTS = 20
LISTED = 2_000  # prompts on the page; the tables on disk hold all
CHOICES = 60  # levels of a factor that can be chosen among
NAMED = 6  # features of a prompt


def sentence(audit: Audit) -> str:
    """How many prompts are listed, and where the others are."""
    if len(audit.outcomes) <= LISTED:
        return f"All {counted(len(audit.outcomes), 'prompt')}, failures first."
    return (
        f"The first {LISTED:,} of {counted(len(audit.outcomes), 'prompt')}, failures first; "
        "tables/prompts.parquet holds all of them."
    )


def prompts_table(audit: Audit, readings: PromptReadings) -> Table:
    """Every prompt with its outcome, failures first; the first ones, where there are very many.

    With the run folder beside the result also its factors, and which of the features that the
    argument names fire on it.
    """
    order = sorted(range(len(audit.outcomes)), key=lambda i: audit.outcomes[i].success)[:LISTED]
    columns, rows = _rows([audit.outcomes[i] for i in order])
    factors = {
        name: levels
        for name, levels in readings.factors.items()
        if len(levels) == len(audit.outcomes)
    }
    firing = _firing(audit, readings)
    added = [Column(name, chosen=name if _few(levels) else "") for name, levels in factors.items()]
    added += [Column("Named features that fire")] if firing else []
    whole = tuple(
        Row(
            (
                *row.cells,
                *(Cell(levels[i]) for levels in factors.values()),
                *((Cell(listed(firing[i], NAMED)),) if firing else ()),
            )
        )
        for i, row in zip(order, rows, strict=True)
    )
    return Table(
        "Prompts and outcomes.", (*columns, *added), whole, first=FIRST_PROMPTS,
        rows_are="prompts", browsable=True,
    )  # fmt: skip


def _few(levels: Sequence[str]) -> bool:
    """Whether a factor has few enough levels to choose among."""
    return len(set(levels)) <= CHOICES


def _firing(audit: Audit, readings: PromptReadings) -> list[list[str]]:
    """By prompt the features that fire on it; empty if none was read."""
    found: list[list[str]] = [[] for _ in audit.outcomes]
    for feature, firings in readings.firings.items():
        for prompt in np.flatnonzero(firings.largest(len(audit.outcomes))).tolist():
            found[prompt].append(feature)
    return found if readings.firings else []


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
