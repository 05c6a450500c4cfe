"""A tuned model against its base: which failures are new, which are gone, and where."""

from __future__ import annotations

from faultlens.auditing.result import BaseComparison, PairedOutcomes
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import clipped, counted, interval, number, p_value, signed
from faultlens.report.audit.factors import level_name
from faultlens.report.parts import Cell, Column, Paragraph, Part, table

TITLE = "Against the base"
NAME = 40  # characters of a level's name
FIRST_LEVELS = 16
FIRST_TURNED = 12
ANSWER = 60  # characters of a generated answer


def sentence(found: BaseComparison, alpha: float) -> str:
    """How many failures tuning brought and took away, and at which level most surely."""
    turned = found.all
    text = (
        f"of {counted(turned.n, 'prompt')} the base fails {turned.failures_base:,} and the tuned "
        f"model {turned.failures_tuned:,}: {_turned(turned)} (exact McNemar test, p "
        f"{p_value(turned.p_mcnemar)})"
    )
    levels = [(f, name, r) for f, of_f in found.levels.items() for name, r in of_f.items()]
    differ = [one for one in levels if one[2].p_holm is not None and one[2].p_holm <= alpha]
    if not differ:
        return f"{text}; at no level of a factor do they turn one way beyond chance after Holm."
    factor, level, reading = min(differ, key=lambda one: one[2].p_mcnemar)
    assert reading.p_holm is not None
    return (
        f"{text}; most surely with {level_name(factor, level, NAME)}: {_turned(reading)} of "
        f"{reading.n:,} (p after Holm {p_value(reading.p_holm)})."
    )


def _turned(found: PairedOutcomes) -> str:
    new = f"{counted(found.new, 'failure is', 'failures are')} new"
    return f"{new} and {found.gone:,} {'is' if found.gone == 1 else 'are'} gone"


def parts(audit: Audit, found: BaseComparison) -> list[Part]:
    """The levels, most surely turned first; then every prompt that turned."""
    told: list[Part] = []
    if found.margin_change is not None:
        told.append(
            Paragraph(
                f"{signed(found.margin_change.value)} nats "
                f"{interval(found.margin_change.low, found.margin_change.high)}, mean over prompts "
                "(95% interval, bootstrap).",
                "Margin, tuned − base:",
            )
        )
    rows: list[tuple[float, list[Cell | str]]] = []
    for factor, levels in found.levels.items():
        for level, reading in levels.items():
            marked = reading.p_holm is not None and reading.p_holm <= audit.alpha
            row: list[Cell | str] = [
                Cell(level_name(factor, level), marked=marked),
                f"{reading.n:,}",
                f"{reading.failures_base:,} → {reading.failures_tuned:,}",
                f"{reading.new:,}",
                f"{reading.gone:,}",
                p_value(reading.p_mcnemar),
                "" if reading.p_holm is None else p_value(reading.p_holm),
            ]
            rows.append((reading.p_mcnemar, row))
    if rows:
        columns = [
            Column("Level"),
            Column("Prompts", "right"),
            Column("Failures", "right", "Of the base → of the tuned model."),
            Column("New", "right", "The base gets them right, the tuned model does not."),
            Column("Gone", "right", "The tuned model gets them right, the base does not."),
            Column("p", "right", "McNemar's exact test, two-sided."),
            Column("p Holm", "right", "After Holm over all levels of all factors."),
        ]
        caption = (
            "Failures under both models by level, the least probable first. ✓ marks levels at "
            f"which they turn one way (p after Holm ≤ {number(audit.alpha)})."
        )
        ordered = [row for _, row in sorted(rows, key=lambda pair: pair[0])]
        told.append(table(caption, columns, ordered, FIRST_LEVELS, "levels"))
    if found.turned:
        told.append(
            table(
                "Prompts whose outcome is another under the tuned model.",
                [Column("Prompt"), Column("Became"), Column("The base"), Column("The tuned model")],
                [
                    [
                        audit.outcomes[one.prompt].prompt,
                        one.became,
                        clipped(one.generated_base or "", ANSWER),
                        clipped(one.generated_tuned or "", ANSWER),
                    ]
                    for one in found.turned
                ],
                FIRST_TURNED,
                "prompts",
            )
        )
    return told
