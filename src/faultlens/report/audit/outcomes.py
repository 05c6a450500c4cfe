"""Step 1 of an audit: what the model did, and how much of it is the scoring rule's doing."""

from __future__ import annotations

from faultlens.auditing.result import SCORED_WRONG, LevelReading, PromptOutcome
from faultlens.auditing.result.audit import Audit
from faultlens.report.numbers import NOT_DONE, clipped, counted, number, share
from faultlens.report.parts import (
    Callout,
    Cell,
    Column,
    Paragraph,
    Part,
    Table,
    shown_first,
    table,
)

FIRST_FAILURES = 12
STRONGEST_LEVELS = 3  # of each factor, shown under every rule
NOTHING, NOT_RECORDED = "(nothing)", "not recorded"
GIVEN = "given"  # the outcomes came decided


def by_rule(rule: str) -> str:
    """By what the outcomes were decided."""
    return "as given" if rule == GIVEN else f"by {rule}"


def outcomes_parts(audit: Audit) -> list[Part]:
    """Failures that may be the rule's first; then kinds, every rule, and all failures."""
    failed = [outcome for outcome in audit.outcomes if not outcome.success]
    parts = _scored_wrong(failed)
    parts.append(
        table(
            f"What the model did on {counted(audit.n, 'prompt')}.",
            [Column("Kind"), Column("Prompts", "right"), Column("Share", "right")],
            [[kind, f"{n:,}", share(n / audit.n)] for kind, n in audit.outcome_kinds.items()],
        )
    )
    parts += _rules(audit)
    if failed:
        parts.append(_failures("", failed, f"All {counted(len(failed), 'failure')}"))
    return parts


def _scored_wrong(failed: list[PromptOutcome]) -> list[Part]:
    """The failures that another rule may call a success, or why none is listed."""
    if not failed:
        return []
    doubtful = [outcome for outcome in failed if outcome.kind == SCORED_WRONG]
    if not doubtful:
        read = [outcome for outcome in failed if outcome.generated is not None]
        text = f"None of {counted(len(read), 'failure')} begins with the right token."
        if not read:
            text = "Not known: the outcomes came without the generated text."
        return [Paragraph(text, "Right, but scored wrong:")]
    say = (
        f"{counted(len(doubtful), 'failure begins', 'failures begin')} with the right token, and "
        "another rule of scoring may call that a success."
    )
    return [
        Callout("warning", "Right, but scored wrong?", say),
        *shown_first(_failures("Failures that begin right.", doubtful), FIRST_FAILURES, "of these"),
    ]


def _rules(audit: Audit) -> list[Part]:
    rates = audit.scoring_sensitivity
    if not rates:
        return [Paragraph(f"{NOT_DONE}.", "Accuracy under other rules of scoring:")]
    rows: list[list[Cell | str]] = [
        [
            Cell(rule, "this audit's" if rule == audit.rule else ""),
            f"{audit.scoring[rule].failures:,}" if rule in audit.scoring else NOT_DONE,
            share(accuracy),
        ]
        for rule, accuracy in rates.items()
    ]
    columns = [Column("Rule"), Column("Failures", "right"), Column("Accuracy", "right")]
    if not any(rule in audit.scoring for rule in rates):
        columns, rows = [columns[0], columns[2]], [[row[0], row[2]] for row in rows]
    parts: list[Part] = [table("Accuracy under every rule of scoring.", columns, rows)]
    if len(rates) == 1:
        why = "no other rule could be applied, so what depends on the scoring is not known."
        return [*parts, Paragraph(why, "One rule only:")]
    return parts + _levels_by_rule(audit)


def strongest_levels(audit: Audit, most: int) -> list[tuple[str, str, LevelReading]]:
    """Of each factor the levels that go most surely with failure or success, at most `most`."""
    return [
        (factor, level, reading)
        for factor, levels in audit.factors.items()
        for level, reading in sorted(levels.items(), key=lambda pair: pair[1].p_value)[:most]
    ]


def _levels_by_rule(audit: Audit) -> list[Part]:
    """Failures at each factor's strongest levels, a column a rule."""
    shown = strongest_levels(audit, STRONGEST_LEVELS)
    if not shown or not audit.scoring:
        return []
    rows: list[list[Cell | str]] = []
    for factor, level, reading in shown:
        row: list[Cell | str] = [f"{factor} = {level}", f"{reading.n:,}"]
        for scored in audit.scoring.values():
            failures = scored.levels.get(factor, {}).get(level)
            if failures is None:
                row.append(NOT_DONE)
            else:
                row.append(Cell(f"{failures:,}", share(failures / reading.n)))
        rows.append(row)
    columns = [
        Column("Level"),
        Column("Prompts", "right"),
        *(Column(rule, "right") for rule in audit.scoring),
    ]
    caption = (
        "Failures at each factor's strongest levels, and their share, under every rule of scoring."
    )
    return shown_first(table(caption, columns, rows), 15, "levels")


def _also(accepted: list[str]) -> str:
    """Further answers that would have been right, as far as there is room."""
    return clipped(f"or {', '.join(accepted)}", 60) if accepted else ""


def _failures(caption: str, failed: list[PromptOutcome], folded: str = "") -> Table:
    """Failures, a row each; logits are left out where none was recorded."""
    rows: list[list[Cell | str]] = [
        [
            clipped(outcome.prompt, 300),
            Cell(outcome.target.strip(), _also(outcome.accepted)),
            NOT_RECORDED
            if outcome.generated is None
            else clipped(outcome.generated, 120) or NOTHING,
            outcome.kind,
        ]
        for outcome in failed
    ]
    columns = [Column("Prompt"), Column("Target"), Column("Generated"), Column("Kind")]
    logits = {
        Column(
            "Target − foil", "right", "Difference of their logits at the answer, in nats."
        ): [outcome.logit_difference for outcome in failed],
        Column(
            "Target − strongest other", "right", "The same against the strongest other token."
        ): [outcome.margin for outcome in failed],
    }  # fmt: skip
    for column, values in logits.items():
        if any(value is not None for value in values):
            columns.append(column)
            for row, value in zip(rows, values, strict=True):
                row.append(NOT_RECORDED if value is None else number(value))
    return table(caption, columns, rows, folded)
