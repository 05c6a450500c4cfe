"""Parts as text: nothing cut, nothing wider than asked for."""

from __future__ import annotations

import audit_samples
import samples

from faultlens.report.audit.study import audit_study
from faultlens.report.parts import Callout, Cell, Column, Paragraph, Row, Table, table
from faultlens.report.profile.study import profile_study
from faultlens.report.text import prose_lines, table_lines
from faultlens.report.tree import parts_of


def test_prose_is_wrapped_behind_its_label() -> None:
    assert prose_lines(Paragraph("two words", "Label:"), 12) == ["Label: two", "words"]
    assert prose_lines(Callout("caution", "Beware:", "of this"), 40) == ["Beware: of this"]
    assert prose_lines(Paragraph("bare"), 40) == ["bare"]


def test_numbers_are_set_to_the_right_with_their_marks() -> None:
    rows = [Row((Cell("a"), Cell("1", marked=True))), ["bc", "23"]]
    shown = table("Numbers.", [Column("Name"), Column("n", "right")], rows)
    assert table_lines(shown, 40) == [["Name    n"], ["a     ✓ 1"], ["bc     23"]]


def test_wide_columns_give_way_and_are_wrapped() -> None:
    columns = [Column("Name"), Column("What it is")]
    row = ["short", Cell("a long text that does", "not fit into its column")]
    lines = table_lines(table("", columns, [row]), 24)[1]
    assert lines == [
        "short  a long text that",
        "       does (not fit",
        "       into its column)",
    ]


def test_every_table_of_both_studies_keeps_its_width_and_all_its_words() -> None:
    studies = [audit_study(audit_samples.audit()), profile_study(samples.whole_profile())]
    tables = [part for study in studies for part in parts_of(study) if isinstance(part, Table)]
    assert len(tables) > 40
    for shown in tables:
        header, *rows = table_lines(shown, 100)
        assert all(len(line) <= 100 for lines in (header, *rows) for line in lines)
        assert len(rows) == len(shown.rows)
        for row, lines in zip(shown.rows, rows, strict=True):
            said = "".join("".join(lines).split())
            for cell in row.cells:
                assert sorted(set("".join(cell.text.split())) - set(said)) == []
