"""Step 5: the strata that decide, beside those that other factors would make."""

from __future__ import annotations

import dataclasses

import audit_samples
from tree_reading import class_row, facts_of, headed, rows, section

from faultlens.auditing.result import FinestStrata, Interval, LostWith, StrataCount
from faultlens.report.audit.confounds import beyond_words, within_strata

TITLE = "5 Confounds"


def test_strata_name_the_choice_once() -> None:
    strata = rows(headed(section(audit_samples.audit(), TITLE).parts, "Strata of"))
    assert strata == [
        ["object × template used; asked for: template", "32", "9", "53"],
        ["object", "8", "6", "61"],
        ["object × template × order", "64", "0", "0"],
    ]


def test_the_sentence_counts_strata_and_the_classes_that_stand_in_them() -> None:
    whole = audit_samples.audit()
    assert section(whole, TITLE).lead == (
        "Of 32 strata of object × template, 9 hold both outcomes, with 53 failures; 3 of 5 classes "
        "still go with the outcome within them."
    )
    assert section(audit_samples.untested(), TITLE).lead == (
        "Not done: there are no strata to compare within."
    )
    alone = dataclasses.replace(whole, strata=audit_samples.tables_only().strata)
    assert section(alone, TITLE).lead == (
        "No factor was shown to go with failure, so that nothing is held constant."
    )


def test_odds_are_said_as_far_as_they_are_known() -> None:
    facts = facts_of(class_row(audit_samples.audit(), "4-res-mini/300"))
    assert facts["Odds ratio, Mantel–Haenszel"] == "infinite or undefined p 1.0e-6"
    assert facts["Odds ratio, Firth"] == "0"


def test_what_one_more_factor_takes_away_is_said_in_the_list() -> None:
    reading = audit_samples.audit().leading
    lost = dataclasses.replace(
        reading.confounds, lost_with=LostWith("place", 7, 22, Interval(0.1, -0.5, 0.7), None)
    )
    taken = dataclasses.replace(reading, confounds=lost, p_conditional=0.03)
    assert beyond_words(taken, 0.05) == "not with place held, p 0.03"
    assert beyond_words(dataclasses.replace(taken, p_conditional=0.3), 0.05) == "not shown, p 0.3"


def test_the_finest_strata_stand_beside_those_that_are_used() -> None:
    whole = audit_samples.audit()
    finest = StrataCount(["object", "template", "place"], 90, 12, 31)
    finer = dataclasses.replace(whole, strata=dataclasses.replace(whole.strata, finest=finest))
    strata = rows(headed(section(finer, TITLE).parts, "Strata of"))
    assert strata[1] == ["object × template × place finest, tested too", "90", "12", "31"]
    reading = finer.leading
    within = dataclasses.replace(
        reading.confounds, finest=FinestStrata(12, 31, 0.2, Interval(0.4, -0.1, 0.9), None)
    )
    entries = dict(within_strata(dataclasses.replace(reading, confounds=within), 0.05))
    cell = entries["Within the finest strata"]
    assert (cell.text, cell.note, cell.marked) == ("p 0.2", "31 failures in 12; +0.4 SD", False)
