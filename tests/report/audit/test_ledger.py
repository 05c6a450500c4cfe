"""Step 10: one outcome per claim, with its controls beneath."""

from __future__ import annotations

import dataclasses

import audit_samples
import pytest
from tree_reading import rows, section, tables

from faultlens.auditing.result import Claim
from faultlens.report.audit.ledger import judged

TITLE = "10 Claims ledger"


def test_each_claim_has_one_outcome_and_opens_its_controls() -> None:
    step = section(audit_samples.audit(), TITLE)
    assert step.lead == "Of 2 claims 2 supported."
    (ledger,) = tables(step.parts)
    assert rows(ledger) == [
        ["4-res-mini/91 goes with failure", "supported", "1 passed, 1 not done"],
        ["4-res-mini/91 matters for failure", "supported", "1 passed"],
    ]
    (controls,) = tables(ledger.rows[0].opens)
    assert rows(controls) == [
        ["family-wise error", "passed", "p = 0.0001"],
        ["replication", "not done", "one corpus"],
    ]
    assert section(audit_samples.tables_only(), TITLE).lead == "No claim was made."


@pytest.mark.parametrize(
    ("outcomes", "alone", "outcome"),
    [
        (["passed", "passed"], [False, False], "supported"),
        (["passed", "not done"], [False, False], "supported"),
        (["passed", "failed"], [False, False], "not supported"),
        (["failed", "not done"], [False, False], "not supported"),
        (["not done", "not done"], [False, False], "not tested"),
        (["passed", "passed"], [True, True], "supported"),
        (["passed", "failed"], [True, True], "supported in part"),
        (["failed", "failed"], [True, True], "not supported"),
        (["failed", "passed"], [False, True], "not supported"),
        (["passed", "failed", "passed"], [False, True, True], "supported in part"),
        (["passed", "failed"], [False, True], "not supported"),
    ],
)
def test_what_controls_make_of_a_claim(
    outcomes: list[str], alone: list[bool], outcome: str
) -> None:
    claims = [
        Claim("it matters", f"control {i}", outcome, "", alone=by_itself)
        for i, (outcome, by_itself) in enumerate(zip(outcomes, alone, strict=True))
    ]
    (one,) = judged(claims)
    assert one.outcome == outcome and len(one.controls) == len(outcomes)


def test_no_claim_stands_twice() -> None:
    claims = audit_samples.audit().claims
    mixed = [claims[0], claims[2], claims[1]]
    audit = dataclasses.replace(audit_samples.audit(), claims=mixed)
    (ledger,) = tables(section(audit, TITLE).parts)
    assert [row[0] for row in rows(ledger)] == [
        "4-res-mini/91 goes with failure",
        "4-res-mini/91 matters for failure",
    ]
