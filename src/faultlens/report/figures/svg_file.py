"""SVG files: figures that stand by themselves, with the colours they have on a report's page."""

from __future__ import annotations

from faultlens.report.figures.chart import Chart
from faultlens.report.figures.svg import svg

STYLE = (
    "svg{font-family:sans-serif;background:#fff}text{fill:#222;font-size:12px}text.quiet{fill:#666}"
    ".grid{stroke:#ddd}.reference{stroke:#666;stroke-dasharray:2 4}"
    ".interval,.line,.thick{fill:none;stroke:currentColor;stroke-width:2}.filled{fill:currentColor}"
    ".striking{color:#c2410c}.plain{color:#1d4ed8}g.quiet{color:#7b8794}"
    ".c0{color:#3b7dd8}.c1{color:#d9730d}.c2{color:#2a9d5c}.c3{color:#9a5fd0}"
)


def svg_file(chart: Chart, width: int, alt: str, more: str = "") -> str:
    """What the file of a figure holds.

    Args:
        chart: the figure.
        width: pixels.
        alt: what it shows, in words.
        more: further CSS, e.g. colours of a dark scheme.
    """
    plain = str(svg(chart, width, alt)).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')
    return plain.replace(">", f"><style>{STYLE}{more}</style>", 1) + "\n"
