"""Step 10: what may be said, and what it rests on."""

from __future__ import annotations

from collections import Counter

from faultlens.auditing.result.audit import Audit
from faultlens.report.numbers import NOT_DONE, counted, listed
from faultlens.report.parts import Cell, Column, Part, table

TITLE = "Claims ledger"


def sentence(audit: Audit) -> str:
    """How many controls were passed."""
    if not audit.claims:
        return "No claim was made."
    counts = Counter(claim.outcome for claim in audit.claims)
    return (
        f"Of {counted(len(audit.claims), 'control')} "
        f"{listed([f'{counts[o]} {o}' for o in ('passed', 'failed', NOT_DONE) if counts[o]])}."
    )


def parts(audit: Audit) -> list[Part]:
    """Each claim with the controls that it passed, failed or was not given."""
    if not audit.claims:
        return []
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
