"""Step 5: whether a class says more than the prompt's own description."""

from __future__ import annotations

from faultlens.auditing.result import ClassReading, Confounds, OddsReading, Strata, StrataCount
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import NOT_DONE, counted, interval, listed, number, p_value, signed
from faultlens.report.audit.estimates import estimate
from faultlens.report.audit.feature_tests import no_features
from faultlens.report.parts import Cell, Column, Part, Table, table

TITLE = "Confounds"
FIRST_STRATA = 10
NO_FACTOR = "no factor was shown to go with failure"


def sentence(audit: Audit) -> str:
    """How many strata can tell anything, and how many classes say more than they do."""
    strata = audit.strata
    if strata is None:
        return f"{NOT_DONE.capitalize()}: {no_strata(audit)}."
    if not strata.factors:
        return f"{NO_FACTOR.capitalize()}, so that nothing is held constant."
    text = (
        f"Of {counted(strata.strata, 'stratum', 'strata')} of {strata_name(strata.factors)}, "
        f"{strata.informative:,} hold both outcomes, with "
        f"{counted(strata.failures_in_them, 'failure')}"
    )
    tested = [r for _, r in audit.significant if r.p_conditional is not None]
    if not tested:
        return f"{text}; the classes within them: {NOT_DONE}."
    adding = sum(r.p_conditional <= audit.alpha for r in tested if r.p_conditional is not None)
    of = counted(len(tested), "class", "classes")
    return f"{text}; {adding:,} of {of} still go with the outcome within them."


def parts(audit: Audit) -> list[Part]:
    """The strata, and those that other choices of factors would make."""
    if audit.strata is None:
        return []
    return [_strata(audit.strata)]


def no_strata(audit: Audit) -> str:
    """Why nothing was compared within strata."""
    return no_features(audit) if not audit.classes else "there are no strata to compare within"


def strata_name(factors: list[str]) -> str:
    """The factors that make the strata; without any, all prompts are one stratum."""
    return " × ".join(factors) if factors else "all prompts together"


def _strata(strata: Strata) -> Table:
    used = StrataCount(strata.factors, strata.strata, strata.informative, strata.failures_in_them)
    asked = f"; asked for: {listed(strata.requested)}" if strata.requested else ""
    if strata.within:
        asked += f"; matters among prompts alike in the others: {listed(strata.within)}"
    if strata.unheld:
        asked += f"; matters within them, and is too fine to be held: {listed(strata.unheld)}"
    finest = [] if strata.finest is None else [strata.finest]
    named = [set(count.factors) for count in (used, *finest)]
    others = [count for count in strata.others if set(count.factors) not in named]
    notes = [f"used{asked}", *("finest, tested too" for _ in finest), *("" for _ in others)]
    rows: list[list[Cell | str]] = [
        [
            Cell(strata_name(count.factors), note),
            f"{count.strata:,}",
            f"{count.informative:,}",
            f"{count.failures_in_them:,}",
        ]
        for count, note in zip([used, *finest, *others], notes, strict=True)
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
        FIRST_STRATA,
        "choices of factors",
    )


def within_strata(reading: ClassReading, alpha: float) -> list[tuple[str, Cell | str]]:
    """What a class says within the strata: the name of each measure, and its value."""
    p, found = reading.p_conditional, reading.confounds
    if p is None and found is None:
        return [("Within strata", NOT_DONE)]
    entries: list[tuple[str, Cell | str]] = []
    if p is not None:
        note = "strength or firing, outcomes permuted within strata; decides"
        entries.append(("Within strata", Cell(f"p {p_value(p)}", note, p <= alpha)))
    if found is None:
        return entries
    where = (
        f"{counted(found.failures_in_them, 'failure')} in "
        f"{counted(found.informative, 'informative stratum', 'informative strata')}"
        if found.informative
        else "no informative stratum"
    )
    return [
        *entries,
        ("Prompts that can tell", where),
        ("Effect within strata, SD", estimate(found.effect, missing="not estimable")),
        ("Odds ratio, Mantel–Haenszel", _odds(found.mantel_haenszel)),
        ("Odds ratio, Firth", _odds(found.firth)),
        *_finest(found, alpha),
    ]


def _finest(found: Confounds, alpha: float) -> list[tuple[str, Cell | str]]:
    """What it says where all factors are held that can be."""
    finest = found.finest
    if finest is None:
        return []
    left = f"{counted(finest.failures_in_them, 'failure')} in {finest.informative:,}"
    if finest.effect is not None:
        left += f"; {signed(finest.effect.value)} SD"
    p = finest.p_value
    return [("Within the finest strata", Cell(f"p {p_value(p)}", left, p <= alpha))]


def beyond_words(reading: ClassReading, alpha: float) -> str:
    """Whether a class says more than the factors, in a few words."""
    p, found = reading.p_conditional, reading.confounds
    if p is None and found is None:
        return NOT_DONE
    if found is not None and not found.informative:
        return "cannot be known"
    if p is None:
        return NOT_DONE
    if p <= alpha and found is not None and found.lost_with is not None:
        return f"not with {found.lost_with.factor} held, p {p_value(p)}"
    return f"{'yes' if p <= alpha else 'not shown'}, p {p_value(p)}"


def _odds(reading: OddsReading | None) -> Cell | str:
    """An odds ratio, with as much of its interval and p as there is."""
    if reading is None:
        return "not estimable"
    value = "infinite or undefined" if reading.odds_ratio is None else number(reading.odds_ratio)
    notes = []
    if reading.low is not None and reading.high is not None:
        notes.append(interval(reading.low, reading.high))
    if reading.p_value is not None:
        notes.append(f"p {p_value(reading.p_value)}")
    return Cell(value, ", ".join(notes))
