"""An audit as a study: its steps in order, one list of classes, nothing left unsaid."""

from __future__ import annotations

import audit_samples
import pytest
import samples
from tree_reading import headed, rows, section

from faultlens.auditing.result.audit import Audit
from faultlens.report.audit.study import audit_study
from faultlens.report.parts import Table
from faultlens.report.tree import parts_of

TITLES = [
    "1 Outcomes",
    "2 Factors",
    "3 Feature tests",
    "4 Classes",
    "5 Confounds",
    "6 Baseline ladder",
    "7 Interventions",
    "8 Counterfactual pairs",
    "9 Replication",
    "10 Claims ledger",
    "Prompts",
]
AUDITS = {
    "whole": audit_samples.audit(),
    "cause": audit_samples.cause(),
    "untested": audit_samples.untested(),
    "tables": audit_samples.tables_only(),
    "few": audit_samples.underpowered(),
}


@pytest.mark.parametrize("audit", AUDITS.values(), ids=AUDITS)
def test_steps_follow_the_argument_with_a_sentence_each(audit: Audit) -> None:
    sections = audit_study(audit).sections
    assert [one.title for one in sections] == TITLES
    assert all(one.lead.endswith(".") for one in sections)
    assert all(one.lead[0].isupper() or one.lead[0].isdigit() for one in sections)


def test_a_step_that_was_not_done_is_one_line() -> None:
    untested = audit_samples.untested()
    for title in (
        "6 Baseline ladder",
        "7 Interventions",
        "8 Counterfactual pairs",
        "9 Replication",
    ):
        step = section(untested, title)
        assert step.lead.startswith("Not done") and step.parts == ()
    for title in ("3 Feature tests", "4 Classes"):
        step = section(audit_samples.tables_only(), title)
        assert step.lead == "Not done: no features were given." and step.parts == ()


@pytest.mark.parametrize("audit", AUDITS.values(), ids=AUDITS)
def test_no_table_holds_an_empty_or_undefined_number(audit: Audit) -> None:
    for part in parts_of(audit_study(audit)):
        if isinstance(part, Table):
            words = {word for row in rows(part) for text in row for word in text.split()}
            assert not {"nan", "inf", "None", "-inf"} & words


def test_cautions_come_with_the_answer() -> None:
    (caution,) = audit_study(audit_samples.audit()).headline.cautions
    assert caution.support == "caution"
    assert caution.text == audit_samples.audit().warnings[0]


def test_injected_text_stays_text() -> None:
    dropped = headed(section(audit_samples.audit(), "2 Factors").parts, "Dropped")
    assert rows(dropped)[1][0] == f"object = {samples.INJECTED}"
