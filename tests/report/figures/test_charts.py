"""What the charts hold: the results' numbers, in order, marked where they decide."""

from __future__ import annotations

import audit_samples
import pytest
import samples

from faultlens.report.audit.study import audit_study
from faultlens.report.figures.audit import failure_rates, ladder_dots
from faultlens.report.figures.chart import Dots
from faultlens.report.figures.method import specification_curve
from faultlens.report.figures.profile import peak_lines, specialist_heatmap


def test_the_answers_figures_are_levels_swaps_and_changes() -> None:
    levels, swaps, changes = [f.chart for f in audit_study(audit_samples.audit()).headline.figures]
    assert isinstance(levels, Dots) and isinstance(swaps, Dots) and isinstance(changes, Dots)
    assert levels.line == pytest.approx(61 / 300)
    assert levels.rows[:2] == ("object = <script>alert('https://evil.example/x')</script>",
                               "object = the keys")  # fmt: skip
    before, after = swaps.series
    assert [mark and round(mark.value, 3) for mark in before.marks] == [0.93, 0.161]
    assert [mark and round(mark.value, 3) for mark in after.marks] == [0.163, 0.194]
    assert changes.rows == ("4-res-mini/91 and 11 alike", "4-res-mini/200", "4-res-mini/300")
    assert [series.name for series in changes.series] == ["shown", "not shown"]
    assert [mark and mark.value for mark in changes.series[0].marks] == [0.84, None, None]


def test_what_was_not_done_has_no_figure() -> None:
    assert len(audit_study(audit_samples.tables_only()).headline.figures) == 1
    assert audit_study(audit_samples.underpowered()).headline.figures == ()


def test_levels_that_differ_are_marked() -> None:
    audit = audit_samples.audit()
    levels = [(name, reading) for name, reading in audit.factors["object"].items()]
    differs, rest = failure_rates([*levels, *audit.factors["order"].items()], 0.2, 0.05).series
    assert [mark is not None for mark in differs.marks] == [True] * 4 + [False] * 2
    assert [mark is not None for mark in rest.marks] == [False] * 4 + [True] * 2


def test_rungs_without_an_auroc_are_not_drawn() -> None:
    audit = audit_samples.audit()
    drawn = ladder_dots(audit.baselines or {}, {"base_rate", "factors", "bag_of_tokens"})
    assert drawn is not None and "random_dictionary" not in drawn.rows
    prompt, model = drawn.series
    assert [m and m.value for m in prompt.marks] == [0.5, 0.935, 0.917, None, None, None]
    assert [m and m.value for m in model.marks] == [None, None, None, 0.914, 0.899, 0.921]
    first = prompt.marks[0]
    assert first is not None and first.low is None  # the base rate has no interval


def test_the_mark_of_a_specialist_is_its_p_and_not_its_score() -> None:
    labels = specialist_heatmap(samples.whole_profile()).labels
    assert labels[0][0] == "9 ✓" and labels[6][0] == "3"


def test_specifications_are_sorted_by_what_they_find() -> None:
    study = samples.whole_profile().multiverse
    assert study is not None
    curve = specification_curve(study, "selectivity")
    upper, choices = curve.panels
    assert [line.name for line in upper.lines] == ["unsound", "the default"]
    assert [[point.x for point in line.points] for line in upper.lines] == [[0.0], [1.0]]
    assert [name for _, name in choices.y.ticks] == ["max pooling", "✗ padding pooled"]


def test_one_layer_draws_no_line() -> None:
    assert peak_lines(samples.profile((4,))) is None
