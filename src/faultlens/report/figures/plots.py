"""A profile's figures as plotly objects, for a notebook or a paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultlens.profiling.result import Profile
from faultlens.report.figures.chart import Chart
from faultlens.report.figures.method import pair_matrix, specification_curve
from faultlens.report.figures.plotly_figure import plotly_figure
from faultlens.report.figures.profile import (
    coverage_lines,
    peak_lines,
    selectivity_heatmap,
    specialist_heatmap,
    tail_curves,
)
from faultlens.report.profile.pairs import clearest

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def profile_figures(profile: Profile) -> dict[str, Figure]:
    """Every figure of a profile by name; those of what was not done are left out.

    `selectivity` and `specialists` (category × site), `peaks` (with Gini) and `coverage` (by
    layer), `long-tail`, `minimal-pairs`, `specifications-selectivity`,
    `specifications-specialist`. Plotly's own functions change and save them.
    """
    import plotly.graph_objects as go

    drawn: dict[str, Chart | None] = {
        "specialists": specialist_heatmap(profile),
        "selectivity": selectivity_heatmap(profile),
        "peaks": (peak_lines(profile) or (None,))[0],
        "coverage": coverage_lines(profile),
        "long-tail": tail_curves(profile),
    }
    if profile.pairs is not None:
        drawn["minimal-pairs"] = pair_matrix(profile.pairs, clearest(profile.pairs))
    if profile.multiverse is not None:
        for by in profile.multiverse.specifications:
            drawn[f"specifications-{by}"] = specification_curve(profile.multiverse, by)
    return {
        name: go.Figure(plotly_figure(chart)) for name, chart in drawn.items() if chart is not None
    }
