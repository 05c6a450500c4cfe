"""The tree as text: every part, nothing cut, nothing wider than asked for."""

from __future__ import annotations

import audit_samples
import pytest
import samples

from faultlens.auditing.result.audit import Audit
from faultlens.report.audit.study import audit_study
from faultlens.report.figures.audit import patch_shares
from faultlens.report.parts import (
    Callout,
    Cell,
    Column,
    Figure,
    Folded,
    Gloss,
    Paragraph,
    Row,
    facts,
    table,
)
from faultlens.report.profile.study import profile_study
from faultlens.report.text import as_text, part_lines, table_lines

AUDITS = {
    "whole": audit_samples.audit(),
    "cause": audit_samples.cause(),
    "tables": audit_samples.tables_only(),
    "few": audit_samples.underpowered(),
}


@pytest.mark.parametrize("audit", AUDITS.values(), ids=AUDITS)
def test_text_holds_the_whole_study_within_its_width(audit: Audit) -> None:
    study = audit_study(audit)
    text = as_text(study, width=100)
    assert max(map(len, text.splitlines())) <= 100
    wide = " ".join(as_text(study, width=100_000).split())
    for sentence in study.headline.sentences:
        assert sentence.text in wide
    for section in study.sections:
        assert section.title in wide and section.lead in wide


def test_a_profile_is_text_as_well() -> None:
    text = " ".join(as_text(profile_study(samples.whole_profile()), width=100_000).split())
    assert "see⏎⟦<script>⟧ there" in text
    assert "✗ padding is pooled as if it were text" in text


def test_each_part_has_its_lines() -> None:
    chart = patch_shares([])
    assert part_lines(Paragraph("two words", "Label:"), 12) == ["Label: two", "words"]
    assert part_lines(Callout("caution", "Beware:", "of this"), 40) == ["Beware: of this"]
    assert part_lines(Gloss((("nats", "a unit"), ("site", "a place"))), 40) == [
        "nats: a unit",
        "site: a place",
    ]
    assert part_lines(Figure(chart, "Rates.", "Dots"), 40) == ["[Figure: Dots] Rates."]
    assert part_lines(facts("One:", [("p", Cell("0.1", "alone")), ("d", "2")]), 40) == [
        "One:",
        "p: 0.1 (alone); d: 2",
    ]
    inner = Folded("More", (Paragraph("hidden"),))
    assert part_lines(inner, 40) == ["More", "", "hidden"]


def test_what_a_row_opens_is_indented_under_it() -> None:
    rows = [Row((Cell("a"), Cell("1", marked=True)), (Paragraph("inside"),)), ["bc", "23"]]
    shown = table("Numbers.", [Column("Name"), Column("n", "right")], rows)
    assert part_lines(shown, 40) == [
        "Numbers.",
        "Name    n",
        "a     ✓ 1",
        "    inside",
        "bc     23",
    ]


def test_wide_columns_give_way_and_are_wrapped() -> None:
    columns = [Column("Name"), Column("What it is")]
    row = Row((Cell("short"), Cell("a long text that does not fit into its column")))
    lines = table_lines(columns, [row], 24)[1]
    assert lines == [
        "short  a long text that",
        "       does not fit into",
        "       its column",
    ]
