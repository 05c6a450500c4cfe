"""Step 1: what failed, and how much of it is the scoring rule's doing."""

from __future__ import annotations

import dataclasses

import audit_samples
from tree_reading import headed, paragraphs, rows, section

from faultlens.numbers import NOT_DONE
from faultlens.report.parts import Callout, Table

TITLE = "1 Outcomes"


def test_failures_that_begin_right_come_before_everything_else() -> None:
    callout, listed, kinds, *_ = section(audit_samples.audit(), TITLE).parts
    assert isinstance(callout, Callout) and callout.title == "Right, but scored wrong?"
    assert isinstance(listed, Table) and [row[2] for row in rows(listed)] == ["Susan's house"]
    assert isinstance(kinds, Table) and kinds.columns[0].header == "Kind"


def test_every_rule_is_counted_at_the_strongest_levels() -> None:
    parts = section(audit_samples.audit(), TITLE).parts
    levels = rows(headed(parts, "first-token"))
    assert levels[0] == ["object = the keys", "45", "42 93.3%", "37 82.2%", "37 82.2%"]
    assert len(levels) == 3 + 3 + 2  # three of the four objects and templates
    order = next(row for row in levels if row[0] == "order = ABBA")
    assert order[-1] == NOT_DONE  # a rule that has no count there
    assert ["first-token", "56", "81.3%"] in rows(headed(parts, "Accuracy"))
    without = headed(section(audit_samples.untested(), TITLE).parts, "Accuracy")
    assert [c.header for c in without.columns] == ["Rule", "Accuracy"]


def test_the_sentence_names_kinds_and_the_span_of_the_rules() -> None:
    assert section(audit_samples.audit(), TITLE).lead == (
        "5 failures begin with the right token; the commonest kind of failure is “another phrase "
        "of the prompt” (34 of 61); accuracy is 79.7% to 90%, by rule of scoring."
    )
    same = dict.fromkeys(audit_samples.audit().scoring_sensitivity, 0.8)
    equal = dataclasses.replace(audit_samples.audit(), scoring_sensitivity=same)
    assert section(equal, TITLE).lead.endswith("is the same under every rule of scoring.")


def test_outcomes_without_text_are_not_called_right_or_wrong() -> None:
    step = section(audit_samples.tables_only(), TITLE)
    assert step.lead == "What was generated is not recorded."
    said = paragraphs(step.parts)
    assert said[0] == (
        "Right, but scored wrong: Not known: the outcomes came without the generated text."
    )
    assert said[1].startswith("One rule only: no other rule could be applied")


def test_accuracy_behind_either_start_token_is_shown_where_they_differ() -> None:
    both = dataclasses.replace(
        audit_samples.audit(), accuracy_by_start={"nothing": 0.963, "<|im_start|>": 0.863}
    )
    shown = rows(headed(section(both, TITLE).parts, "In front"))
    assert shown == [
        ["nothing", "the model's own: this audit's", "96.3%"],
        ["<|im_start|>", "the dictionaries'", "86.3%"],
    ]
    headers = [p.columns[0].header for p in section(audit_samples.audit(), TITLE).parts
               if isinstance(p, Table)]  # fmt: skip
    assert "In front" not in headers
