"""An audit as parts: the verdicts first, then the argument in the order in which it was made."""

from __future__ import annotations

from collections import Counter

from faultlens.audit.result import Audit, ClassReading
from faultlens.report.correlate_parts import (
    claims_parts,
    class_name,
    correlates_parts,
    intervention_parts,
    significant,
)
from faultlens.report.numbers import NOT_DONE, counted, listed, p_value, share, signed
from faultlens.report.outcome_parts import factors_parts, outcomes_parts, strongest_level
from faultlens.report.parts import (
    Callout,
    Column,
    Heading,
    Paragraph,
    Part,
    Tone,
    shown_first,
    table,
)

FIRST_CLASSES = 10
TONES: dict[str, Tone] = {
    "CAUSE": "good",
    "CONTRIBUTES": "good",
    "PROXY": "warning",
    "ARTEFACT": "warning",
    "UNDERPOWERED": "warning",
}


def audit_parts(audit: Audit) -> list[Part]:
    """Everything that an audit says, in the order in which it should be read."""
    return [
        Heading("Audit: which features go with failure, and do they matter"),
        Heading("Verdict", 3),
        *_verdicts(audit),
        *_steps(audit),
        Heading("Outcomes", 3),
        *outcomes_parts(audit),
        Heading("Factors", 3),
        *factors_parts(audit),
        Heading("Correlates", 3),
        *correlates_parts(audit),
        Heading("Intervention", 3),
        *intervention_parts(audit),
        Heading("Claims ledger", 3),
        *claims_parts(audit),
    ]


def tone_of(verdict: str) -> Tone:
    """How a verdict is to be taken: its first word decides."""
    words = verdict.split()
    return TONES.get(words[0].rstrip(":"), "neutral") if words else "neutral"


def _verdicts(audit: Audit) -> list[Part]:
    parts: list[Part] = []
    if audit.verdict is not None:
        parts.append(Callout(tone_of(audit.verdict), "The audit as a whole", audit.verdict))
    ranked = audit.classes
    if not ranked:
        if audit.verdict is None:
            parts.append(Callout("neutral", "No verdict", "No feature could be tested."))
        return parts
    top = audit.suspect
    assert top is not None
    title = f"{class_name(top)}: {top.verdict}"
    parts.append(Callout(tone_of(top.verdict), title, f"{_capital(top.sentence)}."))
    if len(ranked) > 1:
        rows = [[class_name(c), name, c.verdict, c.sentence] for name, c in ranked]
        columns = [Column("Class"), Column("Site"), Column("Verdict"), Column("Why")]
        caption = f"Every class and its verdict, the most certain first: {_tally(ranked)}."
        parts += shown_first(table(caption, columns, rows), FIRST_CLASSES, "classes")
    return parts


def _tally(ranked: list[tuple[str, ClassReading]]) -> str:
    counts = Counter(reading.verdict.split(" of ")[0] for _, reading in ranked)
    return listed([f"{count} {verdict}" for verdict, count in counts.most_common()])


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _steps(audit: Audit) -> list[Part]:
    """The argument, a sentence a step."""
    steps = {
        "Outcomes.": outcomes_sentence(audit),
        "Factors.": factors_sentence(audit),
        "Correlates.": correlates_sentence(audit),
        "Intervention.": intervention_sentence(audit),
        "Claims.": claims_sentence(audit),
    }
    return [Paragraph(text, label) for label, text in steps.items()]


def outcomes_sentence(audit: Audit) -> str:
    right = audit.n - audit.failures
    text = (
        f"{right:,} of {counted(audit.n, 'prompt')} of {audit.task} are right "
        f"({share(right / audit.n)}) by the rule {audit.rule}"
    )
    failed = {kind: count for kind, count in audit.outcome_kinds.items() if kind != "success"}
    if failed:
        kind, count = max(failed.items(), key=lambda pair: pair[1])
        text += f"; the commonest of {audit.failures:,} failures is “{kind}” ({count:,})"
    rates = audit.scoring_sensitivity.values()
    if rates and min(rates) != max(rates):
        span = f"{share(min(rates))} to {share(max(rates))}"
        text += f"; accuracy is {span}, depending on the rule of scoring"
    return text + "."


def factors_sentence(audit: Audit) -> str:
    strongest = strongest_level(audit)
    if strongest is None:
        return f"{_capital(NOT_DONE)}: the prompts come with no factors."
    factor, level, reading = strongest
    differ = sum(
        r.p_holm <= audit.alpha for levels in audit.factors.values() for r in levels.values()
    )
    levels = sum(len(levels) for levels in audit.factors.values())
    return (
        f"{differ} of {counted(levels, 'level')} fail more or less often than the rest after Holm; "
        f"the strongest is {factor} = {level}, which fails on {reading.failures} of {reading.n} "
        f"({share(reading.rate)}, p after Holm {p_value(reading.p_holm)})."
    )


def correlates_sentence(audit: Audit) -> str:
    if not audit.sites:
        return f"{_capital(NOT_DONE)}."
    tested = sum(site.tested for site in audit.sites.values())
    classes = significant(audit)
    features = sum(reading.size for _, reading in classes)
    return (
        f"Of {counted(tested, 'feature')} that fire on at least {audit.min_support} prompts, "
        f"{features:,} go with failure or success beyond chance, in "
        f"{counted(len(classes), 'class', 'classes')} of features that fire alike."
    )


def intervention_sentence(audit: Audit) -> str:
    tested = [reading for _, reading in audit.classes if reading.intervention is not None]
    if not tested:
        return f"{_capital(NOT_DONE)}: no class was changed to see what happens."
    done = tested[0].intervention
    assert done is not None
    return (
        f"Setting {class_name(tested[0])} to its mean over the successes moves the answer by "
        f"{signed(done.adjusted)} nats beyond {counted(done.controls, 'control')} (p = "
        f"{p_value(done.p_value)}): an effect is {'shown' if done.shown else 'not shown'}."
    )


def claims_sentence(audit: Audit) -> str:
    if not audit.claims:
        return "None was made."
    counts = Counter(claim.outcome for claim in audit.claims)
    return (
        f"Of {counted(len(audit.claims), 'control')} "
        f"{listed([f'{counts[o]} {o}' for o in ('passed', 'failed', NOT_DONE) if counts[o]])}."
    )
