"""Figures as plotly objects: the charts' numbers, in a form that plotly knows."""

from __future__ import annotations

import audit_samples
import plotly.graph_objects as go
import samples

from faultlens.report.audit.study import audit_study
from faultlens.report.figures.chart import Bars
from faultlens.report.figures.plotly_figure import plotly_figure
from faultlens.report.figures.plots import figures
from faultlens.report.parts import Figure
from faultlens.report.tree import parts_of


def test_figures_are_handed_out_as_plotly_objects() -> None:
    drawn = figures(samples.whole_profile())
    assert set(drawn) == {
        "selectivity",
        "specialists",
        "peaks",
        "coverage",
        "long tail",
        "minimal pairs",
        "specifications by selectivity",
        "specifications by specialist",
    }
    assert all(isinstance(figure, go.Figure) for figure in drawn.values())
    cells = drawn["specialists"].data[0]
    assert cells.text[0][0] == "9 ✓" and cells.text[6][0] == "3"
    peaks = drawn["peaks"].data
    assert {trace.yaxis for trace in peaks} == {None, "y2"}
    assert list(peaks[7].y) == [0.081, 0.081], "Gini below the peaks"
    assert drawn["minimal pairs"].data[0].z[0][2] is None
    curve = drawn["specifications by selectivity"].data
    assert [trace.name for trace in curve[:2]] == ["unsound", "the default"]
    assert list(curve[0].x) == [0] and list(curve[1].x) == [1], "sorted by what they find"
    assert set(figures(samples.profile((4,)))) == {"selectivity", "specialists", "long tail"}


def test_an_audits_figures_are_handed_out_too_each_under_a_name_of_its_own() -> None:
    audit = audit_samples.audit()
    drawn = figures(audit)
    study = audit_study(audit)
    assert len(drawn) == sum(isinstance(part, Figure) for part in parts_of(study))
    assert {"levels", "swaps", "effects", "ladder", "patches"} <= set(drawn)
    assert "doses of 4-res-mini/91 and 11 alike" in drawn
    for figure in drawn.values():
        assert "<script>" not in str(figure.to_json())


def test_bars_are_plotly_bars() -> None:
    chart = Bars(("silent", "≤ 1"), (("failures", "striking", (0.25, 0.75)),), "x", "y")
    (bars,) = go.Figure(plotly_figure(chart)).data
    assert list(bars.x) == ["silent", "≤ 1"] and list(bars.y) == [0.25, 0.75]


def test_an_interval_is_an_error_bar_and_a_missing_one_is_none() -> None:
    audit = audit_samples.audit()
    levels = plotly_figure(audit_study(audit).headline.figures[0].chart)["data"][0]
    keys = levels["x"].index(42 / 45)
    assert round(levels["error_x"]["array"][keys], 3) == round(0.986 - 42 / 45, 3)
    swaps = plotly_figure(audit_study(audit).headline.figures[1].chart)["data"][0]
    assert swaps["error_x"]["array"] == [None, None]
