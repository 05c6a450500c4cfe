"""Steps 1 and 2 of an audit: what the model did, and what about the prompt goes with failure."""

from __future__ import annotations

from typing import Any

from faultlens.audit.result import SCORED_WRONG, Audit, LevelReading, PromptOutcome
from faultlens.report.figures import LEVELS_DRAWN, failure_rates
from faultlens.report.numbers import (
    NOT_DONE,
    clipped,
    counted,
    number,
    p_value,
    share,
    share_interval,
)
from faultlens.report.parts import (
    Callout,
    Cell,
    Column,
    Figure,
    Paragraph,
    Part,
    Table,
    shown_first,
    table,
)

FIRST_LEVELS = 16


def outcomes_parts(audit: Audit) -> list[Part]:
    """Kinds, accuracy under every rule, and the failures themselves, the doubtful first."""
    kinds = table(
        f"What the model did on {counted(audit.n, 'prompt')}.",
        [Column("Kind"), Column("Prompts", "right"), Column("Share", "right")],
        [[kind, f"{n:,}", share(n / audit.n)] for kind, n in audit.outcome_kinds.items()],
    )
    rules = table(
        "Accuracy under every rule of scoring.",
        [Column("Rule"), Column("Accuracy", "right")],
        [
            [Cell(rule, "this audit's" if rule == audit.rule else ""), share(accuracy)]
            for rule, accuracy in audit.scoring_sensitivity.items()
        ],
    )
    parts: list[Part] = [kinds, rules]
    failed = [outcome for outcome in audit.outcomes if not outcome.success]
    doubtful = [outcome for outcome in failed if outcome.kind == SCORED_WRONG]
    if doubtful:
        parts.append(
            Callout(
                "warning",
                "Right, but scored wrong?",
                f"{counted(len(doubtful), 'failure begins', 'failures begin')} with the right "
                "token, and another rule of scoring may call that a success.",
            )
        )
        parts += shown_first(_failures("Failures that begin right.", doubtful), 12, "of these")
    if failed:
        parts.append(_failures("", failed, f"All {counted(len(failed), 'failure')}"))
    return parts


def _failures(caption: str, failed: list[PromptOutcome], folded: str = "") -> Table:
    rows = [
        [
            clipped(outcome.prompt, 300),
            outcome.target.strip(),
            clipped(outcome.generated, 120) or "(nothing)",
            outcome.kind,
            NOT_DONE if outcome.logit_difference is None else number(outcome.logit_difference),
        ]
        for outcome in failed
    ]
    columns = [
        Column("Prompt"),
        Column("Target"),
        Column("Generated"),
        Column("Kind"),
        Column("Target − foil", "right", "Difference of their logits at the answer, in nats."),
    ]
    return table(caption, columns, rows, folded)


def strongest_level(audit: Audit) -> tuple[str, str, LevelReading] | None:
    """The level of a factor that goes most surely with failure or success; None without factors."""
    levels = [(f, name, r) for f, of_f in audit.factors.items() for name, r in of_f.items()]
    return min(levels, key=lambda entry: entry[2].p_value, default=None)


def factors_parts(audit: Audit) -> list[Part]:
    """The marginal table, its figure, and the strata."""
    if not audit.factors:
        return [Paragraph(f"{NOT_DONE.capitalize()}: the prompts come with no factors.")]
    many = any(len(levels) > LEVELS_DRAWN for levels in audit.factors.values())
    drawn = f" Of a factor with many levels the {LEVELS_DRAWN} least probable." if many else ""
    return [
        *shown_first(_levels(audit), FIRST_LEVELS, "levels"),
        Figure(
            failure_rates(audit),
            "Failure rate by level with its 95% interval; the dotted line is the rate over all "
            f"prompts, {share(audit.failures / audit.n)}.{drawn}",
            "A dot with an interval for each level; the table above holds the numbers.",
        ),
        *record_parts("Strata", audit.strata),
    ]


def _levels(audit: Audit) -> Table:
    entries = [(f, name, r) for f, levels in audit.factors.items() for name, r in levels.items()]
    rows: list[list[Cell | str]] = [
        [
            Cell(f"{factor} = {level}", marked=r.p_holm <= audit.alpha),
            f"{r.failures:,} of {r.n:,}",
            share(r.rate),
            share_interval(r.low, r.high),
            "infinite or undefined" if r.odds_ratio is None else number(r.odds_ratio),
            p_value(r.p_value),
            p_value(r.p_holm),
        ]
        for factor, level, r in sorted(entries, key=lambda entry: entry[2].p_value)
    ]
    return table(
        "Failures by level of each factor, against all other prompts, the least probable first. "
        "✓ marks those that differ after Holm.",
        [
            Column("Level"),
            Column("Failures", "right"),
            Column("Rate", "right"),
            Column("95% interval", "right", "Clopper–Pearson, of the failure rate."),
            Column("Odds ratio", "right", "Of the sample: failure at this level against the rest."),
            Column("p", "right", "Fisher's exact test against all other prompts."),
            Column("p Holm", "right", "After Holm over all levels of all factors."),
        ],
        rows,
    )


def record_parts(name: str, record: dict[str, Any] | None) -> list[Part]:
    """A part of the result that is still open in form, key by key."""
    if record is None:
        return [Paragraph(f"{NOT_DONE}.", f"{name}:")]
    rows = [[key, _record_text(value)] for key, value in record.items()]
    return [table(f"{name}.", [Column("What"), Column("Value")], rows)]


def _record_text(value: Any) -> str:
    """An open value in words: None is not done, numbers are readable, the rest is named in full."""
    if value is None:
        return NOT_DONE
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {_record_text(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_record_text(inner) for inner in value)
    return str(value)
