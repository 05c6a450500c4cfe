"""Charts as SVG: every mark drawn at its place, with its numbers, in colours of the style sheet."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import audit_samples
import pytest
import samples

from faultlens.report.audit.study import audit_study
from faultlens.report.figures.chart import (
    Axis,
    Bars,
    Chart,
    Dots,
    HeatMap,
    Line,
    Mark,
    Panel,
    Panels,
    Point,
    Series,
)
from faultlens.report.figures.svg import svg
from faultlens.report.figures.svg_shapes import scale, ticks
from faultlens.report.parts import Figure
from faultlens.report.profile.study import profile_study
from faultlens.report.tree import parts_of

HOSTILE = '<script>alert("x")</script>'


def drawn(chart: Chart, width: int = 760) -> ET.Element:
    """The drawing, read by an XML parser: it is well formed."""
    return ET.fromstring(str(svg(chart, width, "words")))


def titles(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter("title")]


def dots(*marks: Mark | None) -> Dots:
    rows = tuple(f"row {i}" for i in range(len(marks)))
    return Dots(rows, (Series("one", "striking", marks),), Axis("share", 0.0, 1.0, True), 0.5)


def test_a_mark_stands_at_its_value_with_its_interval() -> None:
    root = drawn(dots(Mark(0.25, 0.0, 0.5, "a quarter"), Mark(1.0, None, None, "all")))
    assert titles(root) == ["row 0: a quarter", "row 1: all"]
    first, second = [g for g in root.iter("g") if g.find("title") is not None]
    corners = first.find("polygon")
    assert corners is not None
    xs = [float(pair.split(",")[0]) for pair in corners.get("points", "").split()]
    centre = (min(xs) + max(xs)) / 2
    interval = first.find("path")
    assert interval is not None
    start, end = map(float, re.findall(r"[ML]([\d.]+) ", interval.get("d", "")))
    assert centre - start == pytest.approx(end - centre, abs=0.2), "0.25 is halfway from 0 to 0.5"
    assert second.find("path") is None, "no interval, no line"


def test_names_stand_beside_the_marks_or_above_them_where_it_is_narrow() -> None:
    chart = dots(Mark(0.25, None, None, "x"))
    for width, anchor in ((760, "end"), (350, None)):
        (name,) = [t for t in drawn(chart, width).iter("text") if t.text == "row 0"]
        assert name.get("text-anchor") == anchor


def test_lines_go_through_their_points_and_stop_at_gaps() -> None:
    points = (Point(0, 1.0, "a"), Point(1, None, "gap"), Point(2, 3.0, "b"))
    chart = Panels(
        Axis("x", 0, 2), (Panel(Axis("y", 0, 4), (Line("one", points, colour=3, dash=1),)),), 100
    )
    root = drawn(chart)
    (line,) = [p for p in root.iter("path") if p.get("class") == "line"]
    assert line.get("d", "").count("L") == 1 and line.get("stroke-dasharray") == "7 4"
    assert titles(root) == ["one: a", "one: b"]
    assert next(g.get("class") for g in root.iter("g")) == "c3 filled"


def test_a_heat_map_is_fuller_where_it_is_larger_and_empty_where_there_is_nothing() -> None:
    chart = HeatMap(
        ("a", "b"), ("x", "y"), ((0.0, 1.0), (None, 0.5)), (("1", "2"), ("3", "4")),
        (("0", "1"), ("", "half")), "share", 0.0, 1.0,
    )  # fmt: skip
    root = drawn(chart)
    cells = [g for g in root.iter("g") if g.find("rect") is not None]
    assert titles(root) == ["1", "2", "4"]
    opacities = [float(cell.find("rect").get("fill-opacity")) for cell in cells]  # type: ignore[union-attr, arg-type]
    assert opacities[0] < opacities[2] < opacities[1]
    assert [cell.find("text").text for cell in cells] == ["0", "1", "half"]  # type: ignore[union-attr]


def test_words_that_do_not_fit_a_cell_are_left_to_the_hover() -> None:
    wide = HeatMap(
        ("a",), tuple("abcdefghij"), ((0.5,) * 10,), (("all of it",) * 10,),
        (("a long label that does not fit",) * 10,), "share", 0.0, 1.0,
    )  # fmt: skip
    root = drawn(wide, 350)
    assert not any("long label" in (text.text or "") for text in root.iter("text"))
    assert titles(root) == ["all of it"] * 10


@pytest.mark.parametrize("width", [350, 760])
def test_every_figure_of_both_studies_draws_within_its_width(width: int) -> None:
    studies = [audit_study(audit_samples.audit()), profile_study(samples.whole_profile())]
    figures = [part for study in studies for part in parts_of(study) if isinstance(part, Figure)]
    assert len(figures) == 18
    for figure in figures:
        root = drawn(figure.chart, width)
        assert float(root.get("height", "0")) > 40
        for element in root.iter():
            for name in ("x", "cx", "x1", "x2"):
                if element.get(name) is not None:
                    assert -1 <= float(element.get(name, "0")) <= width + 1
        assert "style" not in {name for element in root.iter() for name in element.attrib}
        assert "nan" not in str(svg(figure.chart, width, ""))


def test_bars_are_as_high_as_their_shares() -> None:
    chart = Bars(
        ("silent", "≤ 1"),
        (("failures", "striking", (0.25, 0.75)), ("successes", "plain", (1.0, 0.0))), "x", "y",
    )  # fmt: skip
    root = drawn(chart)
    bars = [g for g in root.iter("g") if g.find("title") is not None]
    assert titles(root) == [
        "silent: 25% of failures", "silent: 100% of successes", "≤ 1: 75% of failures",
        "≤ 1: 0% of successes",
    ]  # fmt: skip
    heights = [float(bar.find("rect").get("height")) for bar in bars]  # type: ignore[union-attr, arg-type]
    assert heights == pytest.approx([37.5, 150, 112.5, 0], abs=0.1)


def test_hostile_names_stay_text() -> None:
    chart = Dots(
        (HOSTILE,), (Series(HOSTILE, "plain", (Mark(0.5, None, None, HOSTILE),)),) * 2,
        Axis(HOSTILE, 0, 1), 0.0,
    )  # fmt: skip
    assert "<script" not in str(svg(chart, 760, HOSTILE))
    assert any(HOSTILE in title for title in titles(drawn(chart)))


def test_ticks_are_round_and_within_the_axis() -> None:
    assert ticks(Axis("", 0.0, 1.0, percent=True), 5) == [
        (0.0, "0%"), (0.2, "20%"), (0.4, "40%"), (pytest.approx(0.6), "60%"), (0.8, "80%"),
        (1.0, "100%"),
    ]  # fmt: skip
    assert [name for _, name in ticks(Axis("", -0.13, 0.52), 4)] == ["0", "0.2", "0.4"]
    assert [name for _, name in ticks(Axis("", 1, 2000, log=True), 5)] == [
        "1",
        "10",
        "100",
        "1,000",
    ]
    assert ticks(Axis("", 0, 1, ticks=((0.5, "half"),)), 5) == [(0.5, "half")]


def test_scales_go_from_end_to_end() -> None:
    across = scale(Axis("", 10, 20), 100, 300)
    assert (across(10), across(15), across(20)) == (100, 200, 300)
    powers = scale(Axis("", 1, 100, log=True), 0, 100)
    assert powers(10) == pytest.approx(50)
    assert scale(Axis("", 3, 3), 0, 10)(3) == 0, "an axis without a span"
