"""An audit's figures, as plotly's JSON: rates by level, rungs, doses, shares of patches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from faultlens.auditing.result import Interval, LevelReading, Rung, Variant
from faultlens.auditing.result.audit import Audit
from faultlens.report.figures.drawing import (
    COLOURS,
    DASHES,
    QUIET,
    STRIKING,
    SYMBOLS,
    axis,
    layout,
    plain,
    ticks,
)
from faultlens.report.numbers import auroc, counted, share, share_interval

PLAIN = COLOURS[0]
AS_IT_IS = 1.0  # times its own activation: no change, hence none of the margin
LEVELS_DRAWN = 12  # of a factor: name factors have dozens of levels, and nothing to see in most


@dataclass(frozen=True)
class Dot:
    """An estimate with its interval, if it has one, at a place from the top."""

    place: float
    value: float
    low: float | None
    high: float | None
    words: str


def failure_rates(audit: Audit) -> dict[str, Any]:
    """Failure rate by level with its interval; the dotted line is the rate over all prompts."""
    rows = [
        (f"{factor} = {level}", reading)
        for factor, levels in audit.factors.items()
        for level, reading in _drawn(levels)
    ]
    traces = []
    for significant, colour, symbol, name in (
        (True, STRIKING, "diamond", "differs from the rest after Holm"),
        (False, QUIET, "circle", "does not"),
    ):
        dots = [
            Dot(
                place, r.rate, r.low, r.high,
                f"{r.failures} of {r.n}: {share(r.rate)} {share_interval(r.low, r.high)}",
            )
            for place, (_, r) in enumerate(rows)
            if (r.p_holm <= audit.alpha) == significant
        ]  # fmt: skip
        if dots:
            traces.append(_trace(dots, colour, symbol, name))
    names = [name for name, _ in rows]
    x = axis("failure rate", range=[-0.02, 1.02], tickformat=".0%", zeroline=False)
    return {"data": traces, "layout": _layout(names, x, audit.failures / audit.n, 24)}


def ladder_dots(rungs: dict[str, Rung], of_prompt: set[str]) -> dict[str, Any] | None:
    """AUROC of each rung that has one, with its interval; the dotted line is chance.

    `of_prompt` names the rungs that read the prompt's description, not the model's activations.
    None where there is nothing to compare.
    """
    rows = [(name, rung) for name, rung in rungs.items() if rung.auroc is not None]
    if len(rows) < 2:
        return None
    traces = []
    for described, colour, symbol, name in (
        (True, PLAIN, "square", "from the prompt alone"),
        (False, STRIKING, "circle", "from the model's activations"),
    ):
        dots = [
            Dot(place, rung.auroc, rung.low, rung.high, _rung_words(rung))
            for place, (rung_name, rung) in enumerate(rows)
            if rung.auroc is not None and (rung_name in of_prompt) == described
        ]
        if dots:
            traces.append(_trace(dots, colour, symbol, name))
    ends = [end for _, rung in rows for end in (rung.auroc, rung.low) if end is not None]
    least = min([0.5, *ends]) - 0.02
    x = axis("AUROC on held-out prompts", range=[least, 1.01], tickformat=".2f", zeroline=False)
    return {"data": traces, "layout": _layout([name for name, _ in rows], x, 0.5, 34)}


def doses(variants: Sequence[Variant]) -> list[tuple[float, Variant]]:
    """The variants that scale a class's own activations, by how much."""
    return [(variant.scale, variant) for variant in variants if variant.scale is not None]


def dose_lines(scaled: dict[str, list[tuple[float, Variant]]]) -> dict[str, Any] | None:
    """Change of the margin by what a class is scaled by, a line a class; unchanged is 0.

    None where no class was scaled by two amounts.
    """
    drawn = {name: found for name, found in scaled.items() if len(found) > 1}
    if not drawn:
        return None
    traces: list[dict[str, Any]] = []
    for place, (name, found) in enumerate(drawn.items()):
        points = [
            (dose, variant.change, f"right then: {share(variant.turned_share)}")
            for dose, variant in found
        ]
        points = sorted([*points, (AS_IT_IS, 0.0, "as it is")])
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": f"{plain(name)} ({counted(found[0][1].prompts, 'failure')})",
                "x": [x for x, _, _ in points],
                "y": [y for _, y, _ in points],
                "text": [words for _, _, words in points],
                "hovertemplate": "× %{x}<br>%{y:+.3g} nats<br>%{text}<extra></extra>",
                "line": {
                    "color": COLOURS[place % len(COLOURS)],
                    "dash": DASHES[place % len(DASHES)],
                    "width": 2,
                },
                "marker": {"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 9},
            }
        )
    scales = sorted({x for trace in traces for x in trace["x"]})
    drawn_layout = layout(
        340 + 22 * len(traces),
        xaxis=axis("times its own activation", tickvals=scales, zeroline=False),
        yaxis=axis("change of the margin, nats", zeroline=True),
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0},
        showlegend=True,
    )
    return {"data": traces, "layout": drawn_layout}


def patch_shares(
    rows: Sequence[tuple[str, Interval | None, Interval | None]],
) -> dict[str, Any]:
    """Share of a swap's effect that passes through each thing patched; the dotted line is all.

    Args:
        rows: name, share by denoising, share by noising, from top to bottom; one share at least.
    """
    traces = []
    for which, colour, symbol, name in (
        (1, STRIKING, "circle", "swapped values into the original prompts"),
        (2, PLAIN, "square", "original values into the swapped prompts"),
    ):
        offset = -0.13 if which == 1 else 0.13  # side by side: they often lie on each other
        dots = [
            Dot(
                place + offset, found.value, found.low, found.high,
                f"{share(found.value)} {share_interval(found.low, found.high)}",
            )
            for place, row in enumerate(rows)
            if isinstance(found := row[which], Interval)
        ]  # fmt: skip
        if dots:
            hover = {"hovertemplate": "%{text}<extra></extra>"}
            traces.append({**_trace(dots, colour, symbol, name), **hover})
    shares = [found for _, *both in rows for found in both if found is not None]
    ends = [0.0, 1.0, *(end for found in shares for end in (found.low, found.high))]
    x = axis(
        "share of the swap's effect",
        range=[min(ends) - 0.04, max(ends) + 0.04],
        tickformat=".0%",
        zeroline=True,
    )
    return {"data": traces, "layout": _layout([row[0] for row in rows], x, 1.0, 40)}


def _rung_words(rung: Rung) -> str:
    assert rung.auroc is not None
    if rung.low is None or rung.high is None:
        return auroc(rung.auroc)
    return f"{auroc(rung.auroc)} [{auroc(rung.low)}, {auroc(rung.high)}]"


def _drawn(levels: dict[str, LevelReading]) -> list[tuple[str, LevelReading]]:
    """A factor's levels, or its least probable ones where it has many; highest rate first."""
    chosen = sorted(levels.items(), key=lambda pair: pair[1].p_value)[:LEVELS_DRAWN]
    return sorted(chosen, key=lambda pair: -pair[1].rate)


def _layout(names: Sequence[str], x: dict[str, Any], line: float, row: int) -> dict[str, Any]:
    """Rows from top to bottom, with a dotted line from top to bottom at `line`."""
    across = {"type": "line", "x0": line, "x1": line, "y0": 0, "y1": 1, "yref": "paper"}
    return layout(
        130 + row * len(names),
        xaxis=x,
        yaxis=axis(range=[len(names) - 0.3, -0.7], zeroline=False, **ticks(names)),
        shapes=[{**across, "line": {"dash": "dot", "width": 1.5}}],
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0},
        showlegend=True,
    )


def _trace(dots: Sequence[Dot], colour: str, symbol: str, name: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "y": [dot.place for dot in dots],
        "x": [dot.value for dot in dots],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [None if d.high is None else max(0.0, d.high - d.value) for d in dots],
            "arrayminus": [None if d.low is None else max(0.0, d.value - d.low) for d in dots],
            "color": colour,
            "thickness": 1.5,
            "width": 4,
        },
        "text": [dot.words for dot in dots],
        "hovertemplate": "%{y}<br>%{text}<extra></extra>",
        "marker": {"color": colour, "symbol": symbol, "size": 10},
    }
