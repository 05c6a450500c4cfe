"""An audit as parts: the verdicts first, then the argument in the order in which it was made."""

from __future__ import annotations

from collections.abc import Callable

from faultlens.auditing.result import Verdict, VerdictKind
from faultlens.auditing.result.audit import Audit
from faultlens.report.audit.argument import STEPS, capital, steps
from faultlens.report.audit.classes import class_name, classes_parts, tally
from faultlens.report.audit.confounds import confounds_parts
from faultlens.report.audit.correlates import correlates_parts
from faultlens.report.audit.counterfactuals import counterfactual_parts
from faultlens.report.audit.factors import factors_parts
from faultlens.report.audit.interventions import intervention_parts
from faultlens.report.audit.ladder import ladder_parts
from faultlens.report.audit.outcomes import outcomes_parts
from faultlens.report.audit.robustness import robustness_parts
from faultlens.report.parts import (
    Callout,
    Cell,
    Column,
    Heading,
    Paragraph,
    Part,
    Tone,
    shown_first,
    table,
)

FIRST_CLASSES = 10
TONES: dict[VerdictKind, Tone] = {
    "CAUSE": "good",
    "CONTRIBUTES": "good",
    "PROXY": "warning",
    "ARTEFACT": "warning",
    "UNDERPOWERED": "warning",
    "UNTESTABLE": "warning",
}


def audit_parts(audit: Audit) -> list[Part]:
    """Everything that an audit says, in the order in which it should be read."""
    sections: dict[str, Callable[[Audit], list[Part]]] = {
        "Outcomes": outcomes_parts,
        "Factors": factors_parts,
        "Correlates": correlates_parts,
        "Classes": classes_parts,
        "Confounds": confounds_parts,
        "Baseline ladder": ladder_parts,
        "Interventions": intervention_parts,
        "Counterfactual pairs": counterfactual_parts,
        "Robustness": robustness_parts,
        "Claims ledger": claims_parts,
    }
    return [
        Heading("Audit: which features go with failure, and do they matter"),
        Heading("Verdict", 3),
        *_verdicts(audit),
        Heading("The argument, a sentence a step", 3),
        *steps(audit),
        *(
            part
            for name, said in sections.items()
            for part in (Heading(f"{STEPS[name]} {name}", 3), *said(audit))
        ),
    ]


def tone_of(verdict: Verdict) -> Tone:
    """How a verdict is to be taken: its kind decides."""
    return TONES.get(verdict.kind, "neutral")


def _verdicts(audit: Audit) -> list[Part]:
    """The audit's own verdict, the suspect's, what to beware of, and every class's."""
    parts: list[Part] = []
    if audit.verdict is not None:
        parts.append(Callout(tone_of(audit.verdict), "The audit as a whole", str(audit.verdict)))
    top = audit.suspect
    if top is not None:
        title = f"{class_name(top)}: {top.verdict.label}"
        parts.append(Callout(tone_of(top.verdict), title, f"{capital(top.verdict.sentence)}."))
    elif audit.verdict is None:
        text = "No feature could be tested." if audit.sites else "No features were given."
        parts.append(Callout("neutral", "No verdict on a feature", text))
    parts += [Callout("warning", "To be read with care", text) for text in audit.warnings]
    ranked = audit.classes
    if len(ranked) > 1:
        rows: list[list[Cell | str]] = [
            [class_name(c), name, c.verdict.label, c.verdict.sentence] for name, c in ranked
        ]
        columns = [Column("Class"), Column("Site"), Column("Verdict"), Column("Why")]
        caption = f"Every class and its verdict, the most certain first: {tally(audit)}."
        parts += shown_first(table(caption, columns, rows), FIRST_CLASSES, "classes")
    return parts


def claims_parts(audit: Audit) -> list[Part]:
    """Each claim with the controls that it passed, failed or was not given."""
    if not audit.claims:
        return [Paragraph("No claim was made.")]
    rows: list[list[Cell | str]] = [
        [
            claim.claim,
            claim.control,
            Cell(claim.outcome, marked=claim.outcome == "passed"),
            claim.detail,
        ]
        for claim in audit.claims
    ]
    columns = [Column("Claim"), Column("Control"), Column("Outcome"), Column("Detail")]
    return [table("What may be said, and what it rests on.", columns, rows)]
