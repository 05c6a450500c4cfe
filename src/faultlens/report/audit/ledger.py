"""Step 10: what may be said: each claim with one outcome, and under it the controls behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from faultlens.auditing.result import Claim
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import NOT_DONE, counted, listed
from faultlens.report.parts import Cell, Column, Part, Row, Support, Table

TITLE = "Claims ledger"
PASSED, FAILED = "passed", "failed"
Outcome = Literal["supported", "supported in part", "not supported", "not tested"]
SIGNS: dict[Outcome, Support] = {
    "supported": "shown",
    "supported in part": "partly",
    "not supported": "open",  # what is not shown is not refuted
    "not tested": "open",
}


@dataclass(frozen=True)
class JudgedClaim:
    """A claim with its controls, and what they make of it."""

    claim: str
    controls: tuple[Claim, ...]
    outcome: Outcome


def judged(claims: Sequence[Claim]) -> list[JudgedClaim]:
    """Each claim once, in the order of the ledger, with what its controls make of it.

    A claim falls with any control that it fails, unless that one is among several of which each
    supports it alone: then it is supported in part as long as one of them is passed.
    """
    by_claim: dict[str, list[Claim]] = {}
    for claim in claims:
        by_claim.setdefault(claim.claim, []).append(claim)
    return [
        JudgedClaim(name, tuple(controls), _outcome(controls))
        for name, controls in by_claim.items()
    ]


def _outcome(controls: Sequence[Claim]) -> Outcome:
    passed = [control for control in controls if control.outcome == PASSED]
    failed = [control for control in controls if control.outcome == FAILED]
    if not passed and not failed:
        return "not tested"
    if not failed:
        return "supported"
    saved = all(control.alone for control in failed) and any(control.alone for control in passed)
    return "supported in part" if saved else "not supported"


def sentence(audit: Audit) -> str:
    """How many claims are supported."""
    found = judged(audit.claims)
    if not found:
        return "No claim was made."
    counts = Counter(one.outcome for one in found)
    said = [f"{counts[outcome]} {outcome}" for outcome in SIGNS if counts[outcome]]
    return f"Of {counted(len(found), 'claim')} {listed(said)}."


def parts(audit: Audit) -> list[Part]:
    """Each claim with its outcome; a row opens its controls."""
    found = judged(audit.claims)
    if not found:
        return []
    columns = (Column("Claim"), Column("Outcome"), Column("Controls"))
    return [
        Table(
            "What may be said, and what it rests on. A claim falls with any control that it fails; "
            "where two tests each support it alone, it is supported in part by one of them.",
            columns,
            tuple(_row(one) for one in found),
        )
    ]


def _row(one: JudgedClaim) -> Row:
    counts = Counter(control.outcome for control in one.controls)
    said = [f"{counts[outcome]} {outcome}" for outcome in (PASSED, FAILED, NOT_DONE)
            if counts[outcome]]  # fmt: skip
    rows = tuple(
        Row(
            (
                Cell(control.control),
                Cell(control.outcome, marked=control.outcome == PASSED),
                Cell(control.detail),
            )
        )
        for control in one.controls
    )
    columns = (Column("Control"), Column("Outcome"), Column("Detail"))
    inside = Table(f"Controls of the claim that {one.claim}.", columns, rows)
    return Row(
        (
            Cell(one.claim),
            Cell(one.outcome, support=SIGNS[one.outcome]),
            Cell(listed(said)),
        ),
        (inside,),
    )
