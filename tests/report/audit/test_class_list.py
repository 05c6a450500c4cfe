"""Step 4: one list of classes; what a row opens is all that was measured of its class."""

from __future__ import annotations

import dataclasses

import audit_samples
import cause_samples
import pytest
from tree_reading import captioned, class_row, facts_of, of_leading, paragraphs, rows, section

from faultlens.auditing.result import OtherScoring
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import NOT_DONE
from faultlens.report.audit import class_list
from faultlens.report.audit.study import audit_study
from faultlens.report.parts import Figure, Table


def listed(audit: Audit) -> Table:
    found = audit_study(audit).found
    assert found is not None
    return found


def test_the_caption_counts_every_verdict() -> None:
    assert listed(audit_samples.audit()).caption == (
        "7 classes, the most certain first: 1 CONTRIBUTES, 1 PROXY, 1 UNTESTABLE, 1 CORRELATE, 1 "
        "ARTEFACT (of scoring), 1 ARTEFACT (of a test), 1 NOT SIGNIFICANT."
    )
    assert audit_study(audit_samples.tables_only()).found is None
    assert section(audit_samples.audit(), "4 Classes").lead == (
        "5 classes of features that fire alike go with the outcome beyond chance, listed above."
    )


def test_a_row_says_where_it_fires_what_changing_it_did_and_what_it_stands_for() -> None:
    found = rows(listed(audit_samples.audit()))
    assert found[0] == [
        "4-res-mini/91 and 11 alike", "CONTRIBUTES",
        "42 failures, 3 successes goes with failure, p 0.0002",
        "both effects shown +0.84 and −0.611", "yes, p 0.031",
        "object = the keys Jaccard 0.93",
    ]  # fmt: skip
    assert [row[3] for row in found[1:4]] == [
        "shown to do nothing +0.003 and +0.034",
        NOT_DONE,
        "inconclusive +0.84",
    ]
    assert found[2][4] == "cannot be known" and found[6][4] == NOT_DONE


def test_what_a_row_opens_holds_every_measure() -> None:
    facts = facts_of(class_row(audit_samples.audit(), "4-res-mini/91"))
    assert facts == {
        "Strongest member": "4-res-mini/91",
        "min-P": "p 0.0001 of firing; decides",
        "max-T": "p 0.0001 of strength; decides",
        "Fisher": "p 8.8e-33 Holm over all 6.9e-30",
        "Mean difference": "+3.12 [2.71, 3.53]",
        "Cohen's d": "+2.93 [2.55, 3.3]",
        "AUROC": "0.936 [0.902, 0.970]",
        "Difference of firing rates": "+0.676 [0.542, 0.782]",
        "Welch": "p 2.1e-19 alone",
        "Mann–Whitney": "p 4.4e-30 alone",
        "Within strata": "p 0.031 strength or firing, outcomes permuted within strata; decides",
        "Prompts that can tell": "41 failures in 6 informative strata",
        "Effect within strata, SD": "+0.41 [0.08, 0.74]",
        "Odds ratio, Mantel–Haenszel": "3.4 [1.2, 9.7], p 0.02",
        "Odds ratio, Firth": "3.1 [1.1, 9.2], p 0.035",
        "Scored by first-token": "adjusted p 0.0002 56 failures; rates differ by +0.61, d +2.4",
    }
    (members,) = [
        text
        for text in paragraphs(class_row(audit_samples.audit(), "4-res-mini/91").opens)
        if text.startswith("Features of this class")
    ]
    assert members.endswith("at the same site 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102.")


def test_small_support_and_missing_measures_are_said() -> None:
    few = facts_of(class_row(audit_samples.audit(), "4-res-mini/300"))
    assert few["Cohen's d"] == "infinite" and few["Support"].startswith("small it fires")
    flagged = facts_of(class_row(audit_samples.audit(), "4-res-mini/375"))
    assert flagged["Flagged by"] == "Welch + Holm, Mann–Whitney + Holm"
    bare = facts_of(class_row(audit_samples.untested(), "4-res-mini/300"))
    assert bare["Intervals"] == NOT_DONE and bare["Within strata"] == NOT_DONE
    assert bare["Under other rules of scoring"] == NOT_DONE
    untestable = facts_of(class_row(audit_samples.audit(), "4-res-mini/250"))
    assert untestable["Prompts that can tell"] == "no informative stratum"
    assert untestable["Effect within strata, SD"] == "not estimable"


def test_a_rule_with_too_few_failures_is_said_to_have_too_few() -> None:
    whole = audit_samples.audit()
    site = whole.sites["4-res-mini"]
    few = OtherScoring("contains", 3, None, None, None)
    first = dataclasses.replace(site.classes[0], other_scoring=[few])
    found = dataclasses.replace(site, classes=[first, *site.classes[1:]])
    audit = dataclasses.replace(whole, sites={**whole.sites, "4-res-mini": found})
    facts = facts_of(class_row(audit, "4-res-mini/91"))
    assert facts["Scored by contains"] == "too few fail or succeed 3 failures"


def test_what_a_class_does_stands_with_it_and_nowhere_else() -> None:
    audit = audit_samples.audit()
    row = class_row(audit, "4-res-mini/91")
    assert captioned(row.opens, "the two tests that decide")
    assert rows(captioned(row.opens, "what part of each swap passes through it")) == [
        ["object: the keys → a book", "43", "6.31 → 0.142", "41.2% [30.1%, 52.8%]; +1.06 nats",
         "36.6% [24.3%, 48.7%]; −0.942 nats", "11 of 34"],
    ]  # fmt: skip
    assert sum(isinstance(part, Figure) for part in row.opens) == 2  # effects, doses
    steps = [table.caption for part in audit_study(audit).sections for table in part.parts
             if isinstance(table, Table)]  # fmt: skip
    assert not any("4-res-mini/91 and 11 alike: " in caption for caption in steps)


def test_a_class_that_was_not_changed_has_its_reason() -> None:
    row = class_row(audit_samples.audit(), "4-res-mini/250")
    assert paragraphs(row.opens) == [
        "Why it was not changed: it fires on 3 failures: at least 5 are needed."
    ]


@pytest.mark.parametrize(
    ("audit", "support"),
    [
        (audit_samples.cause(), "shown"),
        (audit_samples.audit(), "partly"),
        (of_leading(cause_samples.proven_null()), "refuted"),
        (of_leading(cause_samples.inconclusive()), "open"),
        (of_leading(None), "open"),
    ],
)
def test_the_sign_follows_what_was_shown_and_not_the_word(audit: Audit, support: str) -> None:
    """CONTRIBUTES in every case but the first: what was shown of it differs."""
    assert class_row(audit, "4-res-mini/91").cells[1].support == support


def test_a_proxy_is_ruled_out_as_a_cause_and_a_correlate_is_open() -> None:
    signs = [row.cells[1].support for row in listed(audit_samples.untested()).rows]
    assert signs[1:4] == ["refuted", "open", "open"]


def test_a_long_list_is_cut_and_says_where_the_rest_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_list, "LISTED", 3)
    monkeypatch.setattr(class_list, "OPENED", 2)
    found = listed(audit_samples.audit())
    assert found.caption.startswith("7 classes, the most certain first")
    assert found.caption.endswith(" 4 more stand in audit.json.")
    assert [bool(row.opens) for row in found.rows] == [True, True, False]


def test_the_list_is_sorted_by_numbers_and_not_by_words() -> None:
    found = listed(audit_samples.audit())
    assert found.browsable
    assert [cell.value for cell in found.rows[0].cells[:5]] == [
        "4-res-mini",
        "CONTRIBUTES",
        42,
        0.84,
        0.031,
    ]
    assert found.rows[1].cells[1].value == "PROXY"  # whatever it is a proxy of
