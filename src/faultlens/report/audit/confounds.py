"""Step 5 of an audit: whether a class says more than the prompt's own description."""

from __future__ import annotations

from faultlens.auditing.result import ClassReading, OddsReading, Strata, StrataCount
from faultlens.auditing.result.audit import Audit
from faultlens.report.audit.classes import FIRST_CLASSES, estimate
from faultlens.report.audit.correlates import no_features
from faultlens.report.numbers import NOT_DONE, counted, listed, number, p_value
from faultlens.report.parts import Cell, Column, Paragraph, Part, Table, shown_first, table

FIRST_STRATA = 10
NO_FACTOR = "no factor goes with failure"


def confounds_parts(audit: Audit) -> list[Part]:
    """The strata, then what each class says within them."""
    parts: list[Part] = []
    if audit.strata is None:
        parts.append(Paragraph(f"{NOT_DONE}: {no_strata(audit)}.", "Strata:"))
    else:
        parts += shown_first(_strata(audit.strata), FIRST_STRATA, "choices of factors")
        if not audit.strata.factors:
            text = f"{NO_FACTOR}, so all prompts are one stratum and nothing is held constant."
            parts.append(Paragraph(text, "No strata:"))
    readings = [reading for _, reading in audit.classes]
    if not readings:
        why = f"{NOT_DONE}: {no_features(audit)}."
        return [*parts, Paragraph(why, "The classes within the strata:")]
    if all(r.p_conditional is None and r.confounds is None for r in readings):
        return [*parts, Paragraph(f"{NOT_DONE}.", "The classes within the strata:")]
    return [*parts, *shown_first(_within(readings, audit.alpha), FIRST_CLASSES, "classes")]


def no_strata(audit: Audit) -> str:
    """Why nothing was compared within strata."""
    return no_features(audit) if not audit.classes else "there are no strata to compare within"


def strata_name(factors: list[str]) -> str:
    """The factors that make the strata; without any, all prompts are one stratum."""
    return " × ".join(factors) if factors else "all prompts together"


def _strata(strata: Strata) -> Table:
    used = StrataCount(strata.factors, strata.strata, strata.informative, strata.failures_in_them)
    asked = f"; asked for: {listed(strata.named)}" if strata.named else ""
    others = [count for count in strata.others if set(count.factors) != set(strata.factors)]
    notes = [f"used{asked}", *("" for _ in others)]
    rows: list[list[Cell | str]] = [
        [
            Cell(strata_name(count.factors), note),
            f"{count.strata:,}",
            f"{count.informative:,}",
            f"{count.failures_in_them:,}",
        ]
        for count, note in zip([used, *others], notes, strict=True)
    ]
    return table(
        "Strata within which outcomes are permuted, and those that other choices of factors would "
        "make. Only strata that hold both outcomes can tell anything.",
        [
            Column("Strata of"),
            Column("Strata", "right"),
            Column("With both outcomes", "right"),
            Column("Failures in them", "right"),
        ],
        rows,
    )


def _within(readings: list[ClassReading], alpha: float) -> Table:
    return table(
        "What each class says beyond the prompt's description: everything is compared within the "
        "strata. ✓ marks those that go with failure or success there too.",
        [
            Column("Class"),
            Column("Informative strata", "right", "Both outcomes, and the activation varies."),
            Column("Failures in them", "right"),
            Column("p within strata", "right", "max-T, outcomes permuted within strata; decides."),
            Column("Effect", "right", "Failures − successes within strata, in Cohen's pooled SD."),
            Column(
                "Mantel–Haenszel", "right", "Odds of failure, firing against silent; described."
            ),
            Column("Firth", "right", "The same odds with the factors' levels in the model."),
        ],
        [_within_row(reading, alpha) for reading in readings],
    )


def _within_row(reading: ClassReading, alpha: float) -> list[Cell | str]:
    p, found = reading.p_conditional, reading.confounds
    p_text = NOT_DONE if p is None else p_value(p)
    name = Cell(reading.features[0], reading.verdict.label, p is not None and p <= alpha)
    if found is None:
        return [name, NOT_DONE, NOT_DONE, p_text, *(NOT_DONE,) * 3]
    return [
        name,
        f"{found.informative:,}",
        f"{found.failures_in_them:,}",
        p_text,
        estimate(found.effect, missing="not estimable"),
        _odds(found.mantel_haenszel),
        _odds(found.firth),
    ]


def _odds(reading: OddsReading | None) -> Cell | str:
    """An odds ratio, with as much of its interval and p as there is."""
    if reading is None:
        return "not estimable"
    value = "infinite or undefined" if reading.odds_ratio is None else number(reading.odds_ratio)
    notes = []
    if reading.low is not None and reading.high is not None:
        notes.append(f"[{number(reading.low)}, {number(reading.high)}]")
    if reading.p_value is not None:
        notes.append(f"p {p_value(reading.p_value)}")
    return Cell(value, ", ".join(notes))


def confounds_sentence(audit: Audit) -> str:
    """What the suspect says beyond the factors."""
    strata, suspect = audit.strata, audit.suspect
    if strata is None or suspect is None:
        return f"{NOT_DONE.capitalize()}: {no_strata(audit)}."
    if not strata.factors:
        return f"{NO_FACTOR.capitalize()}, so there is none that a class could stand for."
    text = (
        f"Of {counted(strata.strata, 'stratum', 'strata')} of {strata_name(strata.factors)}, "
        f"{strata.informative} hold both outcomes, with "
        f"{counted(strata.failures_in_them, 'failure')}"
    )
    return f"{text}; {suspect.features[0]}, within them: {beyond_factors(suspect)}."


def beyond_factors(reading: ClassReading) -> str:
    """A class within the strata, in a few words."""
    p, found = reading.p_conditional, reading.confounds
    if p is None and found is None:
        return NOT_DONE
    said = []
    if p is not None:
        said.append(f"p {p_value(p)}")
    if found is not None and found.effect is not None:
        said.append(
            f"effect {number(found.effect.value)} SD "
            f"[{number(found.effect.low)}, {number(found.effect.high)}]"
        )
    if found is not None:
        said.append(
            f"{counted(found.failures_in_them, 'failure')} in "
            f"{counted(found.informative, 'stratum', 'strata')}"
            if found.informative
            else "no informative stratum"
        )
    return ", ".join(said)
