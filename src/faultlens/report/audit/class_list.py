"""Step 4: the one list of classes; a row opens all that is known of its class."""

from __future__ import annotations

from faultlens.auditing.result import ClassReading
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import NOT_DONE, counted, number, p_value, signed
from faultlens.report.audit.confounds import beyond_words
from faultlens.report.audit.evidence import evidence
from faultlens.report.audit.factors import level_name
from faultlens.report.audit.feature_tests import no_features
from faultlens.report.audit.verdicts import (
    class_name,
    effect_words,
    support,
    tally,
)
from faultlens.report.parts import Cell, Column, Part, Row, Table

TITLE = "Classes"
FIRST_CLASSES = 10
LISTED = 500  # classes on the page; audit.json holds all
OPENED = 250  # of those, that open their evidence


def class_list(audit: Audit) -> Table | None:
    """Every class, the most certain first; None where there is none."""
    ranked = audit.classes
    if not ranked:
        return None
    rest = len(ranked) - LISTED
    more = "" if rest <= 0 else f" {rest:,} more stand in audit.json."
    return Table(
        caption=f"{counted(len(ranked), 'class', 'classes')}, the most certain first: "
        f"{tally(audit)}.{more}",
        columns=COLUMNS,
        rows=tuple(_row(audit, site, reading) for site, reading in ranked[:LISTED]),
        first=FIRST_CLASSES,
        rows_are="classes",
        browsable=True,
    )


COLUMNS = (
    Column("Class", brief=True, explanation="It goes by its strongest member.", chosen="Site"),
    Column("Verdict", brief=True, chosen="Verdict"),
    Column(
        "Fires on",
        brief=True,
        explanation="The strongest member; below, twice the smaller of the two adjusted p that "
        "decide. ✓ marks what is beyond chance.",
    ),
    Column(
        "Effect",
        brief=True,
        explanation="What is shown of changing it; below, by how many nats beyond controls taking "
        "it away and bringing it in moves the margin.",
    ),
    Column(
        "Beyond factors",
        explanation="Whether it says more than they do, within their strata, by max-T.",
    ),
    Column(
        "Fires with",
        chosen="Fires with",
        explanation="The level of a factor, or levels, that it fires with most; below, the Jaccard "
        "index.",
    ),
)


def _row(audit: Audit, site: str, reading: ClassReading) -> Row:
    proxy = reading.proxy
    return Row(
        (
            Cell(class_name(reading), value=site),
            Cell(reading.verdict.label, support=support(reading), value=reading.verdict.kind),
            Cell(
                _fires_on(reading),
                f"goes with {reading.goes_with}, p {p_value(reading.p_deciding)}",
                marked=reading.p_deciding <= audit.alpha,
                value=reading.fail_active,
            ),
            _effect(reading),
            Cell(
                beyond_words(reading, audit.alpha),
                value=2.0 if reading.p_conditional is None else reading.p_conditional,
            ),
            Cell("no level")
            if proxy is None
            else Cell(level_name(proxy.factor, proxy.level), f"Jaccard {number(proxy.jaccard)}"),
        ),
        tuple(evidence(audit, site, reading)) if reading.rank < OPENED else (),
    )


def _fires_on(reading: ClassReading) -> str:
    failures = counted(reading.fail_active, "failure")
    return f"{failures}, {counted(reading.success_active, 'success', 'successes')}"


def _effect(reading: ClassReading) -> Cell:
    done = reading.intervention
    if done is None:
        return Cell(NOT_DONE, value=0.0)
    sizes = [signed(effect.adjusted) for effect in done.effects]
    largest = max(abs(effect.adjusted) for effect in done.effects)
    return Cell(effect_words(done), " and ".join(sizes), value=largest)


def sentence(audit: Audit) -> str:
    """How many classes there are."""
    if not audit.classes:
        return f"{NOT_DONE.capitalize()}: {no_features(audit)}."
    found = counted(len(audit.significant), "class", "classes")
    return f"{found} of features that fire alike go with the outcome beyond chance, listed above."


def parts(audit: Audit) -> list[Part]:
    """Nothing here: the list stands before the argument, and each row opens its evidence."""
    return []
