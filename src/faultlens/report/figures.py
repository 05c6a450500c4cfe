"""The audit's figures, as plotly's JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from faultlens.audit.result import Audit, LevelReading
from faultlens.report.drawing import QUIET, STRIKING
from faultlens.report.drawing import axis as _axis
from faultlens.report.drawing import layout as _layout
from faultlens.report.drawing import ticks as _ticks
from faultlens.report.numbers import share, share_interval

LEVELS_DRAWN = 12  # of a factor: name factors have dozens of levels, and nothing to see in most


def failure_rates(audit: Audit) -> dict[str, Any]:
    """Failure rate by level with its interval; the dotted line is the rate over all prompts."""
    rows = [
        (f"{factor} = {level}", reading)
        for factor, levels in audit.factors.items()
        for level, reading in _drawn(levels)
    ]
    traces = []
    for significant, colour, name in (
        (True, STRIKING, "differs from the rest after Holm"),
        (False, QUIET, "does not"),
    ):
        chosen = [
            (place, reading)
            for place, (_, reading) in enumerate(rows)
            if (reading.p_holm <= audit.alpha) == significant
        ]
        if chosen:
            traces.append(_dots(chosen, colour, "diamond" if significant else "circle", name))
    rate = audit.failures / audit.n
    overall = {"type": "line", "x0": rate, "x1": rate, "y0": 0, "y1": 1, "yref": "paper"}
    names = [name for name, _ in rows]
    return {
        "data": traces,
        "layout": _layout(
            130 + 24 * len(rows),
            xaxis=_axis("failure rate", range=[-0.02, 1.02], tickformat=".0%", zeroline=False),
            yaxis=_axis(range=[len(rows) - 0.3, -0.7], zeroline=False, **_ticks(names)),
            shapes=[{**overall, "line": {"dash": "dot", "width": 1.5}}],
            legend={"orientation": "h", "yanchor": "bottom", "y": 1.0},
        ),
    }


def _drawn(levels: dict[str, LevelReading]) -> list[tuple[str, LevelReading]]:
    """A factor's levels, or its least probable ones where it has many; highest rate first."""
    chosen = sorted(levels.items(), key=lambda pair: pair[1].p_value)[:LEVELS_DRAWN]
    return sorted(chosen, key=lambda pair: -pair[1].rate)


def _dots(
    rows: Sequence[tuple[int, LevelReading]], colour: str, symbol: str, name: str
) -> dict[str, Any]:
    readings = [reading for _, reading in rows]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "y": [place for place, _ in rows],
        "x": [r.rate for r in readings],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, r.high - r.rate) for r in readings],
            "arrayminus": [max(0.0, r.rate - r.low) for r in readings],
            "color": colour,
            "thickness": 1.5,
            "width": 4,
        },
        "text": [
            f"{r.failures} of {r.n}: {share(r.rate)} {share_interval(r.low, r.high)}"
            for r in readings
        ],
        "hovertemplate": "%{y}<br>%{text}<extra></extra>",
        "marker": {"color": colour, "symbol": symbol, "size": 10},
    }
