"""A result's figures as plotly objects, for a notebook or a paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultlens.auditing.result.audit import Audit
from faultlens.profiling.result import Profile
from faultlens.report.audit.study import audit_study
from faultlens.report.figures.plotly_figure import plotly_figure
from faultlens.report.parts import Figure as Drawn
from faultlens.report.profile.study import profile_study
from faultlens.report.tree import parts_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def figures(result: Audit | Profile) -> dict[str, Figure]:
    """Every figure of the report by name, as plotly objects, which plotly changes and saves.

    A name says what is drawn, of a class or a swap also which one: `specialists`, `selectivity`,
    `levels`, `swaps`, `effects of 4-res-mini/91`. Those of what was not done are left out.
    """
    import plotly.graph_objects as go

    study = audit_study(result) if isinstance(result, Audit) else profile_study(result)
    drawn = [part for part in parts_of(study) if isinstance(part, Drawn)]
    return {figure.name: go.Figure(plotly_figure(figure.chart)) for figure in drawn}
