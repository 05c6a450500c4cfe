"""The table of prompts: all of them, failures first, with what was recorded of each."""

from __future__ import annotations

import dataclasses

import audit_samples
import pytest
import reading_samples
from tree_reading import headed, paragraphs, rows, section, titled

from faultlens.auditing.result.audit import Audit
from faultlens.report.audit import prompts
from faultlens.report.audit.study import audit_study


def listed(audit: Audit) -> list[list[str]]:
    return rows(headed(section(audit, "Prompts").parts, "Generated"))


def test_failures_come_first_with_what_was_generated() -> None:
    found = listed(audit_samples.audit())
    assert [row[2] for row in found[:2]] == ["Susan's house", "the car."]
    assert found[2][2] == "(nothing)" and found[2][-2:] == ["not recorded"] * 2
    assert found[-1][3] == "success" and found[-1][-1] == "1.5"
    assert section(audit_samples.audit(), "Prompts").lead == "All 5 prompts, failures first."


def test_logits_have_no_column_where_none_was_recorded() -> None:
    table = headed(section(audit_samples.tables_only(), "Prompts").parts, "Generated")
    headers = [column.header for column in table.columns]
    assert "Target − foil" not in headers and "Target − strongest other" in headers
    assert {row[2] for row in rows(table)} == {"not recorded"}


@pytest.mark.parametrize(
    ("accepted", "note"),
    [
        (["Sue", "Susie"], "or Sue, Susie"),
        ([f"{year}" for year in range(43, 99)], "or 43, 44, 45, "),
        ([], ""),
    ],
)
def test_further_answers_that_would_be_right_stand_with_the_target(
    accepted: list[str], note: str
) -> None:
    whole = audit_samples.audit()
    first = dataclasses.replace(whole.outcomes[0], accepted=accepted)
    audit = dataclasses.replace(whole, outcomes=[first, *whole.outcomes[1:]])
    cell = headed(section(audit, "Prompts").parts, "Generated").rows[0].cells[1]
    assert cell.text == "Susan"
    assert cell.note.startswith(note) and len(cell.note) <= 60


def test_what_is_left_to_the_tables_on_disk_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "LISTED", 3)
    step = section(audit_samples.audit(), "Prompts")
    assert step.lead == (
        "The first 3 of 5 prompts, failures first; tables/prompts.parquet holds all of them."
    )
    assert len(listed(audit_samples.audit())) == 3
    assert paragraphs(step.parts) == []


def test_factors_and_the_features_that_fire_stand_with_each_prompt() -> None:
    study = audit_study(reading_samples.audit(), reading_samples.readings())
    table = headed(titled(study, "Prompts").parts, "Generated")
    assert [column.header for column in table.columns][-2:] == [
        "object", "Named features that fire",
    ]  # fmt: skip
    assert [row[-2:] for row in rows(table)] == [
        ["the keys", "4-res-mini/91"], ["the keys", "4-res-mini/91"], ["a card", ""], ["", ""],
        ["a card", "4-res-mini/91"],
    ]  # fmt: skip
    assert [c.chosen for c in table.columns][-2:] == ["object", ""]


def test_factors_of_other_prompts_are_left_out() -> None:
    """A table of another length than the audit's prompts describes something else."""
    readings = dataclasses.replace(reading_samples.readings(), factors={"object": ["a card"] * 4})
    bare = audit_study(reading_samples.audit(), readings)
    headers = [c.header for c in headed(titled(bare, "Prompts").parts, "Generated").columns]
    assert "object" not in headers
