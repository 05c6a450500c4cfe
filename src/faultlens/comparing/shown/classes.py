"""Classes side by side: which are found in both runs, under which verdicts, and why."""

from __future__ import annotations

from faultlens.comparing.result import AuditPair, ClassPair, ComparedClass
from faultlens.comparing.shown.names import Names, sentence
from faultlens.numbers import counted, listed, number, p_value
from faultlens.report.audit.verdicts import fires_on, members_name
from faultlens.report.parts import Cell, Column, Paragraph, Part, Row, Table

FIRST_CLASSES = 12
LISTED = 500  # classes on the page; --json holds all
NAMED = 3  # classes in a sentence
ANOTHER = "another verdict"
BY = {
    "feature": "the same features",
    "firing": "firing alike",
    "direction": "the same direction",
}


def class_sentence(pair: AuditPair, names: Names) -> str:
    """The third sentence: how many classes both runs have, and whose verdict is another."""
    if not pair.classes:
        return "neither audit finds a class that goes with the outcome beyond chance."
    significant = {
        one.first.features[0]: one.second is not None
        for one in reversed(pair.classes)  # a class stands again where several are matched with it
        if one.first is not None and one.first.significant
    }
    found = sum(significant.values())
    text = (
        f"{_of(found, len(significant))} of {names.first} "
        f"{'corresponds to one' if found == 1 else 'correspond to classes'} of {names.second}"
    )
    own = sum(one.first is None for one in pair.classes)
    text += f", which has {own:,} more of its own" if own else ""
    changed = [one for one in pair.classes if one.verdict_changed]
    if not changed:
        return f"{text}; no verdict is another." if found else f"{text}."
    told = [_turn(one) for one in changed[:NAMED]]
    rest = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
    verdicts = "one has another verdict" if len(changed) == 1 else "these have other verdicts"
    return f"{text}; {verdicts}: {'; '.join(told)}{rest}."


def _of(found: int, every: int) -> str:
    return f"{found:,} of {counted(every, 'significant class', 'significant classes')}"


def _turn(one: ClassPair) -> str:
    assert one.first is not None
    after = "gone" if one.second is None else one.second.verdict
    return f"{one.first.features[0]} was {one.first.verdict} and is {after}"


def class_table(pair: AuditPair, names: Names) -> Table | None:
    """Every class of either run beside its counterpart; a row opens why."""
    if not pair.classes:
        return None
    rest = len(pair.classes) - LISTED
    more = "" if rest <= 0 else f" {rest:,} more stand in the output of --json."
    columns = (
        Column("Class", brief=True, explanation="It goes by its strongest member."),
        Column("Found in", chosen="Found in"),
        Column(f"Verdict in {names.first}", brief=True, chosen=f"In {names.first}"),
        Column(f"Verdict in {names.second}", brief=True, chosen=f"In {names.second}"),
        Column(
            "Counterpart",
            explanation="The strongest member of the class that it corresponds to, or the nearest "
            "feature; below, by what it is matched.",
        ),
        Column(
            "Firing",
            "right",
            "Jaccard index of the prompts on which the two fire; below, the correlation of their "
            "activations.",
        ),
        Column("Direction", "right", "Cosine of what the two write."),
    )
    return Table(
        f"{counted(len(pair.classes), 'class', 'classes')} that either audit finds. ✓ marks what "
        f"is beyond chance there.{more}",
        columns,
        tuple(_row(one, names) for one in pair.classes[:LISTED]),
        first=FIRST_CLASSES,
        rows_are="classes",
        browsable=True,
    )


def _row(one: ClassPair, names: Names) -> Row:
    shown = one.first or one.second
    assert shown is not None
    found_in = "both" if one.first and one.second else names.first if one.first else names.second
    matched = "" if one.matched_by is None else BY[one.matched_by]
    return Row(
        (
            Cell(members_name(shown.features[0], len(shown.features))),
            Cell(
                found_in,
                ANOTHER if one.verdict_changed else "",
                value=f"{found_in}, {ANOTHER}" if one.verdict_changed else None,
            ),
            _verdict(one.first),
            _verdict(one.second),
            Cell("none") if one.nearest is None else Cell(one.nearest, matched or "nearest only"),
            _firing(one),
            Cell("unknown", value=-2.0)
            if one.cosine is None
            else Cell(number(round(one.cosine, 3)), value=one.cosine),
        ),
        tuple(_evidence(one, names)),
    )


def _verdict(of: ComparedClass | None) -> Cell:
    if of is None:
        return Cell("no such class", value="no such class")
    p = f"p {p_value(of.p_deciding)}"
    return Cell(of.verdict, p, marked=of.significant, value=of.verdict_kind)


def _firing(one: ClassPair) -> Cell:
    if one.jaccard is None:
        return Cell("unknown", value=-2.0)
    below = "" if one.correlation is None else f"correlation {number(round(one.correlation, 3))}"
    return Cell(number(round(one.jaccard, 3)), below, value=one.jaccard)


def _evidence(one: ClassPair, names: Names) -> list[Part]:
    """Why the verdicts differ, or why there is one only; then what each audit says itself."""
    why = "Why the verdict is another:" if one.verdict_changed else "In the other run:"
    parts: list[Part] = [
        Paragraph(sentence(reason), why if place == 0 else "")
        for place, reason in enumerate(one.reasons)
    ]
    for name, of in ((names.first, one.first), (names.second, one.second)):
        if of is not None:
            fires = fires_on(of.fail_active, of.success_active)
            parts.append(Paragraph(sentence(of.sentence), f"{name}: {of.verdict}, on {fires}."))
            if len(of.features) > 1:
                parts.append(Paragraph(f"{listed(of.features, 12)}.", "Members:"))
    return parts


def changed_sentence(pair: AuditPair) -> str:
    """How many verdicts are another."""
    changed = sum(one.verdict_changed for one in pair.classes)
    audits = _whole_audits(pair)
    if not changed:
        return audits or "No class that both runs have has another verdict."
    classes = counted(changed, "class has", "classes have")
    return f"{audits} {classes} another verdict.".strip()


def _whole_audits(pair: AuditPair) -> str:
    if pair.verdict_first == pair.verdict_second:
        return ""
    told = [
        of or "the audit could be carried out" for of in (pair.verdict_first, pair.verdict_second)
    ]
    return f"First run: {told[0]}. Second run: {told[1]}."


def changed_parts(pair: AuditPair) -> list[Part]:
    """Each verdict that changed, with the reasons."""
    return [
        Paragraph(sentence("; ".join(one.reasons)), f"{_turn(one)}:")
        for one in pair.classes
        if one.verdict_changed
    ]


def matching_sentence(pair: AuditPair) -> str:
    """By what classes were matched, and by what they could not be."""
    told = []
    told.append(
        "Firing was compared over the prompts that both runs have."
        if pair.no_firing is None
        else f"Firing was not compared: {pair.no_firing}."
    )
    if pair.no_directions is not None:
        told.append(sentence(f"directions were not loaded: {pair.no_directions}"))
    return " ".join(told)
