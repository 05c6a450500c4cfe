"""What all figures share: colours that both themes can bear, axes, names at their places.

Text, grid lines and colour scales are coloured by the page (page.js), which knows its theme. The
figures are plain dicts, so that making one does not load plotly; `plots.py` makes plotly's objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from faultlens.report.numbers import clipped

COLOURS = (
    "#3b7dd8", "#d9730d", "#2a9d5c", "#9a5fd0", "#d6455d", "#1593a5", "#a9743a", "#7b8794",
)  # fmt: skip
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "x", "star", "hexagon")
DASHES = ("solid", "dash", "dot", "dashdot")
STRIKING, QUIET = "#d6455d", "#7b8794"


def plain(text: str) -> str:
    """Data's own words, short enough for a label and safe from plotly's markup."""
    return escape(clipped(text, 44), quote=False)


def layout(height: int, **more: Any) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 16, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13},
        **more,
    }


def axis(title: str = "", **more: Any) -> dict[str, Any]:
    return {"title": {"text": title}, "automargin": True, "fixedrange": True, **more}


def ticks(names: Sequence[str]) -> dict[str, Any]:
    """Names at 0, 1, 2, …: names that are clipped alike still have places of their own."""
    return {"tickvals": list(range(len(names))), "ticktext": [plain(name) for name in names]}
