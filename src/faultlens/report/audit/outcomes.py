"""Step 1: what the model did, and how much of it is the scoring rule's doing."""

from __future__ import annotations

from faultlens.auditing.result import SCORED_WRONG, LevelReading, PromptOutcome
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import NOT_DONE, counted, share
from faultlens.report.audit.prompts import NOT_RECORDED, failures_table
from faultlens.report.parts import Callout, Cell, Column, Paragraph, Part, table

TITLE = "Outcomes"
TARGET_OVER_FOIL = "target-over-foil"  # by this rule no failure ranks the target above the foil
FIRST_FAILURES = 12
FIRST_LEVELS = 15
STRONGEST_LEVELS = 3  # of each factor, shown under every rule


def sentence(audit: Audit) -> str:
    """Which kinds of failure there are, and what other rules of scoring would make of them."""
    said = []
    doubtful = audit.outcome_kinds.get(SCORED_WRONG, 0)
    if doubtful:
        said.append(f"{counted(doubtful, 'failure begins', 'failures begin')} with the right token")
    failed = {kind: count for kind, count in audit.outcome_kinds.items() if kind != "success"}
    if list(failed) == [NOT_RECORDED]:
        said.append("what was generated is not recorded")
    elif failed:
        kind, count = max(failed.items(), key=lambda pair: pair[1])
        said.append(f"the commonest kind of failure is “{kind}” ({count:,} of {audit.failures:,})")
    rates = audit.scoring_sensitivity.values()
    if rates and min(rates) != max(rates):
        said.append(f"accuracy is {share(min(rates))} to {share(max(rates))}, by rule of scoring")
    elif len(rates) > 1:
        said.append("accuracy is the same under every rule of scoring")
    text = "; ".join(said) or "Every prompt is a success"
    return f"{text[:1].upper()}{text[1:]}."


def prefer_target(audit: Audit) -> str:
    """How many failures rank the target above the foil; empty where that says nothing."""
    if audit.failures_over_foil is None or audit.rule == TARGET_OVER_FOIL:
        return ""
    return f"{audit.failures_over_foil:,} of them rank the target above the foil"


def parts(audit: Audit) -> list[Part]:
    """Failures that may be the rule's first; then kinds, and every rule of scoring."""
    failed = [outcome for outcome in audit.outcomes if not outcome.success]
    return [
        *_scored_wrong(failed),
        table(
            f"What the model did on {counted(audit.n, 'prompt')}.",
            [Column("Kind"), Column("Prompts", "right"), Column("Share", "right")],
            [[kind, f"{n:,}", share(n / audit.n)] for kind, n in audit.outcome_kinds.items()],
        ),
        *_rules(audit),
        *_again(audit),
        *_start_tokens(audit),
    ]


def _again(audit: Audit) -> list[Part]:
    """Whether the model that read a log's prompts gives its answers; nothing where it ran them."""
    found = audit.rescoring
    if found is None:
        return []
    said = [f"{found.start} stood in front of each prompt"]
    if found.compared == "log-likelihood":
        said.append(
            f"on {found.equal:,} of {counted(found.prompts, 'prompt')} this model's log-likelihood "
            "of the target is the log's, within 0.1 nats and 2%"
        )
    elif found.compared == "text":
        said.append(
            f"on {found.equal:,} of {counted(found.prompts, 'prompt')} this model, decoded "
            "greedily, begins as the log's text does"
        )
    if found.rule is not None:
        said.append(
            f"scored again by {found.rule}, {found.failures_again:,} of "
            f"{counted(found.failures, 'failure')} fail and {found.successes_again:,} of "
            f"{counted(found.successes, 'success', 'successes')} succeed"
        )
    text = "; ".join(said)
    parts: list[Part] = [Paragraph(f"{text[:1].upper()}{text[1:]}.", "Is it the log's model?")]
    if found.reason is not None:
        parts.append(Paragraph(f"{found.reason}.", "Why nothing was changed in the model:"))
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
    say = "Another rule of scoring may call the failures that begin with the right token a success."
    return [
        Callout("caution", "Right, but scored wrong?", say),
        failures_table("Failures that begin with the right token.", doubtful, FIRST_FAILURES),
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
    found: list[Part] = [table("Accuracy under every rule of scoring.", columns, rows)]
    if len(rates) == 1:
        why = "no other rule could be applied, so what depends on the scoring is not known."
        return [*found, Paragraph(why, "One rule only:")]
    return found + _levels_by_rule(audit)


def _start_tokens(audit: Audit) -> list[Part]:
    """Accuracy under each start token, where model and dictionaries expect different ones."""
    if not audit.accuracy_by_start:
        return []
    whose = ("the model's own: this audit's", "the dictionaries'")
    return [
        table(
            "Accuracy by what stands in front of a prompt.",
            [Column("In front"), Column("Whose"), Column("Accuracy", "right")],
            [
                [start, of, share(accuracy)]
                for (start, accuracy), of in zip(
                    audit.accuracy_by_start.items(), whose, strict=True
                )
            ],
        )
    ]


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
    return [table(caption, columns, rows, FIRST_LEVELS, "levels")]
