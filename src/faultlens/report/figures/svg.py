"""Charts as SVG: static, coloured by the page's style sheet, hence right in both themes.

Every mark carries its numbers in a `<title>`, which browsers show on hover; no script is needed.
"""

from __future__ import annotations

from markupsafe import Markup, escape

from faultlens.report.figures.chart import Bars, Chart, Dots, HeatMap, Panels
from faultlens.report.figures.svg_bars import draw_bars
from faultlens.report.figures.svg_dots import draw_dots
from faultlens.report.figures.svg_heat import draw_heat_map
from faultlens.report.figures.svg_panels import draw_panels
from faultlens.report.figures.svg_shapes import Drawing


def svg(chart: Chart, width: int, alt: str) -> Markup:
    """A chart as an SVG element of this width in pixels; `alt` is read to who does not see it."""
    drawing = _drawing(chart, width)
    return Markup(
        f'<svg class="chart" viewBox="0 0 {width} {drawing.height:.0f}" width="{width}" '
        f'height="{drawing.height:.0f}" role="img" aria-label="{escape(alt)}">'
        f"{''.join(drawing.shapes)}</svg>"
    )


def _drawing(chart: Chart, width: int) -> Drawing:
    match chart:
        case Dots():
            return draw_dots(chart, width)
        case Panels():
            return draw_panels(chart, width)
        case HeatMap():
            return draw_heat_map(chart, width)
        case Bars():
            return draw_bars(chart, width)
