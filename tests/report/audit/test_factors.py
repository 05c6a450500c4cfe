"""Step 2: levels, forward selection, trends and pairs, with where the factors are from."""

from __future__ import annotations

import dataclasses

import audit_samples
from tree_reading import headed, marks, paragraphs, rows, section

from faultlens.auditing.result import Ladder, PromptGroups, Selection
from faultlens.report.audit.factors import sentence

TITLE = "2 Factors"


def test_forward_selection_says_counts_and_what_it_drops() -> None:
    step = section(audit_samples.audit(), TITLE)
    assert rows(headed(step.parts, "Taken"))[1] == [
        "template = template 3", "13 of 77", "6 of 178", "0.0004", "0.0064", "0.0011",
    ]  # fmt: skip
    dropped = rows(headed(step.parts, "Dropped"))
    assert dropped[0] == ["object = a card", "0.004", "object = the keys", "0.052", "0.73"]
    assert dropped[1][3:] == ["nothing left to test"] * 2
    assert "takes object = the keys, template = template 3, and drops object = a card" in step.lead


def test_levels_stand_with_counts_intervals_and_both_p() -> None:
    levels = headed(section(audit_samples.audit(), TITLE).parts, "Level")
    assert rows(levels)[0] == [
        "object = the keys", "42 of 45", "93.3%", "[81.7%, 98.6%]", "2.5", "8.8e-33", "1.1e-31",
    ]  # fmt: skip
    assert marks(levels, 0) == [True, True, True, True] + [False] * 6


def test_factors_say_where_they_are_from_and_what_is_left_out() -> None:
    whole, derived = audit_samples.audit(), section(audit_samples.tables_only(), TITLE)
    assert paragraphs(section(whole, TITLE).parts) == ["Left out: verb (one level only)."]
    said = paragraphs(derived.parts)
    assert said[0].startswith("Derived factors: none were given, so these were read off")
    assert "of factors read off the prompts" in derived.lead
    assert "Forward selection: no level differs from the rest" in said[2]
    assert said[3] == "Pairs: no pair of levels is on enough prompts to be tested."
    assert paragraphs(section(audit_samples.untested(), TITLE).parts)[1:] == [
        "Forward selection: not done.",
        "Pairs of levels: not done.",
    ]
    assert rows(headed(section(whole, TITLE).parts, "Factor"))[0] == ["length", "0.612", "0.0061"]


def test_pairs_are_marked_where_they_hold() -> None:
    pairs = headed(section(audit_samples.audit(), TITLE).parts, "Pair")
    assert pairs.caption.startswith("Pairs: 1 of 222 pairs of levels say more together")
    assert marks(pairs, 0) == [True, False]
    assert rows(pairs)[0][0] == "object = the bag and template = template 3"


def test_an_empty_selection_and_ladder_are_sentences() -> None:
    audit = dataclasses.replace(
        audit_samples.audit(),
        selection=Selection([], [], []),
        ladder=Ladder("repeated", 10, 5, [], []),
    )
    assert section(audit, TITLE).lead.endswith("forward selection takes none.")
    assert "Forward selection: no level differs" in paragraphs(section(audit, TITLE).parts)[1]
    assert paragraphs(section(audit, "6 Baseline ladder").parts) == [
        "Differences: not done: there are no two rungs to compare.",
        "Levels left out of training: not done.",
    ]


def test_prompts_that_were_tested_as_groups_are_said() -> None:
    whole = audit_samples.audit()
    groups = PromptGroups(columns=["document"], groups=96, grouped=280, largest=8)
    said = sentence(dataclasses.replace(whole, groups=groups))
    assert said == f"{sentence(whole)} Prompts that share document are tested as 96 groups."
    alone = PromptGroups(columns=[], groups=280, grouped=40, largest=2)
    assert sentence(dataclasses.replace(whole, groups=alone)) == sentence(whole)
