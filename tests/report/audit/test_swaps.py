"""Step 8: swaps as tables of two by two, and what passes through what was patched."""

from __future__ import annotations

import dataclasses

import audit_samples
import cause_samples
from tree_reading import captioned, class_row, figures, headed, marks, paragraphs, rows, section

from faultlens.auditing.result import Counterfactuals, Interval
from faultlens.auditing.result.audit import Audit
from faultlens.report.audit.patches import goes_through, through_name
from faultlens.report.figures.audit import patch_shares
from faultlens.report.figures.chart import Dots

TITLE = "8 Counterfactual pairs"
CLASS = audit_samples.audit().classes[0][1]


def swapping(found: Counterfactuals) -> Audit:
    return dataclasses.replace(audit_samples.audit(), counterfactuals=found)


def test_a_swap_is_a_table_of_two_by_two() -> None:
    swaps = headed(section(audit_samples.audit(), TITLE).parts, "Turn right")
    assert rows(swaps)[0] == [
        "object: the keys → a book", "43 2 left out", "40 → 7", "6", "34", "1", "2", "2.1e-9",
        "+2.57 [2.18, 2.96]",
    ]  # fmt: skip
    assert rows(swaps)[1][2:] == ["5 → 6", "4", "1", "2", "24", "1", "−0.031 [−0.14, 0.083]"]
    for row in swaps.rows:
        assert sum(int(cell.text) for cell in row.cells[3:7]) == int(row.cells[1].text)
    assert marks(swaps, 0) == [True, False]


def test_levels_that_could_not_be_swapped_are_named() -> None:
    left_out = [["template = template 3", "its words do not stand in the prompt"]]
    assert rows(headed(section(audit_samples.audit(), TITLE).parts, "Why not")) == left_out
    reason = "only the first three levels were swapped."
    some = dataclasses.replace(cause_samples.counterfactuals(), reason=reason)
    assert paragraphs(section(swapping(some), TITLE).parts) == [
        "Left out: only the first three levels were swapped."
    ]
    none = dataclasses.replace(some, swaps=[])
    assert rows(headed(section(swapping(none), TITLE).parts, "Why not")) == left_out


def test_the_sentence_counts_swaps_and_what_carries_them() -> None:
    assert section(audit_samples.audit(), TITLE).lead == (
        "1 of 2 swaps changes the outcomes; the whole value at a site carries at least 95.8% of "
        "that, features at most 41.2% (4-res-mini/91 and 11 alike)."
    )
    reason = "forward selection takes no level"
    assert section(swapping(Counterfactuals([], reason)), TITLE).lead == f"Not done: {reason}."
    silent = dataclasses.replace(cause_samples.counterfactuals().swaps[0], patches=[])
    bare = section(swapping(Counterfactuals([silent], None)), TITLE)
    assert bare.lead == "1 of 1 swap changes the outcomes."
    assert paragraphs(bare.parts) == ["object: the keys → a book: not done: nothing was patched."]


def test_what_passes_through_a_class_stands_with_it_and_the_whole_with_the_swaps() -> None:
    audit = audit_samples.audit()
    parts = section(audit, TITLE).parts
    assert rows(captioned(parts, "passes through what")) == [
        ["the whole value at 4-res-mini", "43", "no one feature's",
         "95.8% [90.7%, 101%]; +2.47 nats", "93.1% [87.2%, 99.3%]; −2.39 nats", "33 of 34"],
    ]  # fmt: skip
    other = captioned(class_row(audit, "4-res-mini/200").opens, "passes through it")
    assert rows(other)[0][3:] == [
        "not defined +0.004 nats", "not defined +0.0061 nats", "none to restore",
    ]  # fmt: skip
    assert other.caption.endswith("not defined, the swap itself changes nothing beyond chance.")


def test_shares_are_drawn_where_they_are_defined() -> None:
    (figure,) = figures(section(audit_samples.audit(), TITLE).parts)
    assert isinstance(figure.chart, Dots)
    denoise, noise = figure.chart.series
    assert [mark and mark.value for mark in denoise.marks] == [0.412, 0.958]
    assert [mark and (mark.low, mark.high) for mark in noise.marks] == [
        (0.243, 0.487), (0.872, 0.993),
    ]  # fmt: skip
    assert figure.chart.x.low < 0 and figure.chart.x.high > 1.01, "nothing and everything"
    assert figure.chart.rows == ("4-res-mini/91 and 11 alike", "the whole value at 4-res-mini")
    found = cause_samples.counterfactuals()
    silent = swapping(dataclasses.replace(found, swaps=found.swaps[1:]))
    assert figures(section(silent, TITLE).parts) == []
    lone = patch_shares([("one", None, Interval(-0.2, -0.3, 0.1))])
    assert [sum(mark is not None for mark in of.marks) for of in lone.series] == [0, 1]
    assert lone.x.low < -0.3


def test_patches_of_two_swaps_are_told_apart_in_the_figure() -> None:
    found = cause_samples.counterfactuals().swaps[0]
    other = dataclasses.replace(found, level="a card")
    (figure,) = figures(section(swapping(Counterfactuals([found, other], None)), TITLE).parts)
    assert isinstance(figure.chart, Dots)
    assert figure.chart.rows[1:3] == (
        "the keys: the whole value at 4-res-mini", "a card: 4-res-mini/91 and 11 alike",
    )  # fmt: skip


def test_a_named_set_is_patched_under_its_own_name_and_never_speaks_for_the_class() -> None:
    swap = cause_samples.counterfactuals().swaps[0]
    own = next(patch for patch in swap.patches if patch.features)
    pair = dataclasses.replace(own, features=[CLASS.features[0], "4-res-mini/5"], requested=True)
    assert through_name(pair) == f"{CLASS.features[0]} + 4-res-mini/5"
    twin = dataclasses.replace(own, requested=True)
    assert goes_through(own, CLASS) and not goes_through(twin, CLASS)
    assert not goes_through(pair, CLASS)
    both = dataclasses.replace(swap, patches=[pair, *swap.patches])
    audit = swapping(Counterfactuals([both], None))
    table = captioned(section(audit, TITLE).parts, "passes through what")
    assert [row[0] for row in rows(table)] == [
        "4-res-mini/91 + 4-res-mini/5 at 4-res-mini", "the whole value at 4-res-mini",
    ]  # fmt: skip
    mine = captioned(class_row(audit, CLASS.features[0]).opens, "passes through it")
    assert len(mine.rows) == 1
