"""An audit's charts: rates by level, swaps, effects, doses, the ladder, shares of patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from faultlens.auditing.result import (
    Counterfactual,
    Effect,
    Interval,
    LevelReading,
    Rung,
    Variant,
)
from faultlens.numbers import auroc, counted, interval, share, share_interval, signed
from faultlens.report.figures.chart import Axis, Dots, Line, Mark, Panel, Panels, Point, Series

AS_IT_IS = 1.0  # times its own activation: no change, hence none of the margin


def failure_rates(
    levels: Sequence[tuple[str, LevelReading]], over_all: float, alpha: float
) -> Dots:
    """Failure rate by level with its interval; the dotted line is the rate over all prompts."""
    marks = [
        Mark(
            reading.rate, reading.low, reading.high,
            f"{reading.failures} of {reading.n} fail, {share(reading.rate)} "
            f"{share_interval(reading.low, reading.high)}",
        )
        for _, reading in levels
    ]  # fmt: skip
    differs = [reading.p_holm <= alpha for _, reading in levels]
    series = [
        Series("differs from the rest", "striking", _where(marks, differs, True)),
        Series("does not", "quiet", _where(marks, differs, False)),
    ]
    return Dots(
        tuple(name for name, _ in levels),
        tuple(of for of in series if any(of.marks)),
        Axis("failure rate", 0.0, 1.0, percent=True),
        over_all,
    )


def swap_rates(swaps: Sequence[Counterfactual]) -> Dots:
    """Share of the prompts that fail as they are, and after one level was swapped for another."""
    before = tuple(
        Mark(s.failures_original / s.pairs, None, None, f"{s.failures_original} of {s.pairs} fail")
        for s in swaps
    )
    after = tuple(
        Mark(s.failures_swapped / s.pairs, None, None, f"{s.failures_swapped} of {s.pairs} fail")
        for s in swaps
    )
    return Dots(
        tuple(f"{s.level} → {s.swapped_for}" for s in swaps),
        (Series("as they are", "striking", before), Series("swapped", "plain", after)),
        Axis("failure rate", 0.0, 1.0, percent=True),
        0.0,
    )


def effect_sizes(effects: Sequence[tuple[str, Effect]]) -> Dots:
    """Change of the margin beyond the controls, by what was changed; the dotted line is none."""
    marks = [
        Mark(e.adjusted, e.low, e.high, f"{signed(e.adjusted)} nats {interval(e.low, e.high)}")
        for _, e in effects
    ]
    shown = [effect.shown for _, effect in effects]
    series = [
        Series("shown", "striking", _where(marks, shown, True)),
        Series("not shown", "quiet", _where(marks, shown, False)),
    ]
    ends = [0.0, *(end for mark in marks for end in (mark.value, mark.low, mark.high) if end)]
    low, high = _widened(min(ends), max(ends))
    return Dots(
        tuple(name for name, _ in effects),
        tuple(of for of in series if any(of.marks)),
        Axis("change of the margin beyond controls, nats", low, high),
        0.0,
    )


def ladder_dots(rungs: dict[str, Rung], of_prompt: set[str]) -> Dots | None:
    """AUROC of each rung that has one, with its interval; the dotted line is chance.

    `of_prompt` names the rungs that read the prompt's description, not the model's activations.
    None where there is nothing to compare.
    """
    marks = {
        name: Mark(rung.auroc, rung.low, rung.high, _rung_words(rung, rung.auroc))
        for name, rung in rungs.items()
        if rung.auroc is not None
    }
    if len(marks) < 2:
        return None
    described = [name in of_prompt for name in marks]
    ends = [end for m in marks.values() for end in (m.value, m.low) if end is not None]
    return Dots(
        tuple(marks),
        (
            Series("from the prompt alone", "plain", _where(list(marks.values()), described, True)),
            Series(
                "from the model's activations",
                "striking",
                _where(list(marks.values()), described, False),
            ),
        ),
        Axis("AUROC on held-out prompts", min([0.5, *ends]) - 0.02, 1.0),
        0.5,
    )


def doses(variants: Sequence[Variant]) -> list[tuple[float, Variant]]:
    """The variants that scale a class's own activations, by how much."""
    return [(variant.scale, variant) for variant in variants if variant.scale is not None]


def dose_lines(scaled: dict[str, list[tuple[float, Variant]]]) -> Panels | None:
    """Change of the margin by what a class is scaled by, a line a class; unchanged is 0.

    None where no class was scaled by two amounts.
    """
    drawn = {name: found for name, found in scaled.items() if len(found) > 1}
    if not drawn:
        return None
    lines = [_dose_line(place, name, found) for place, (name, found) in enumerate(drawn.items())]
    points = [point for line in lines for point in line.points]
    heights = [point.y for point in points if point.y is not None]
    low, high = _widened(min(heights), max(heights))
    scales = sorted({point.x for point in points})
    x = Axis(
        "times its own activation",
        scales[0],
        scales[-1],
        ticks=tuple((s, f"{s:g}") for s in scales),
    )
    panel = Panel(Axis("change of the margin, nats", low, high), tuple(lines))
    return Panels(x, (panel,), 240)


def _dose_line(place: int, name: str, found: list[tuple[float, Variant]]) -> Line:
    points = [
        Point(
            dose,
            variant.change,
            f"× {dose:g}, {signed(variant.change)} nats, {share(variant.turned_share)} right then",
        )
        for dose, variant in found
    ]
    points.append(Point(AS_IT_IS, 0.0, "as it is"))
    of = counted(found[0][1].prompts, "failure")
    points.sort(key=lambda point: point.x)
    return Line(f"{name} ({of})", tuple(points), colour=place, dash=place, symbol=place)


def patch_shares(rows: Sequence[tuple[str, Interval | None, Interval | None]]) -> Dots:
    """Share of a swap's effect that passes through each thing patched; the dotted line is all.

    Args:
        rows: name, share by denoising, share by noising, from top to bottom; one share at least.
    """
    denoised = tuple(_share_mark(denoise) for _, denoise, _ in rows)
    noised = tuple(_share_mark(noise) for _, _, noise in rows)
    shares = [found for _, *both in rows for found in both if found is not None]
    ends = [0.0, 1.0, *(end for found in shares for end in (found.low, found.high))]
    low, high = _widened(min(ends), max(ends))
    return Dots(
        tuple(name for name, *_ in rows),
        (
            Series("swapped values into the original prompts", "striking", denoised),
            Series("original values into the swapped prompts", "plain", noised),
        ),
        Axis("share of the swap's effect", low, high, percent=True),
        1.0,
    )


def layer_shares(
    lines: Mapping[tuple[str, str], Sequence[tuple[int, Interval]]],
) -> Panels | None:
    """Shares of swaps' effects over the layers, a line for each swap and each place of a prompt.

    None where no line has two layers.

    Args:
        lines: by swap and place, layers with their shares; one colour a swap, one dash a place.
    """
    drawn = {name: found for name, found in lines.items() if len(found) > 1}
    if not drawn:
        return None
    swaps, places = (list(dict.fromkeys(name[i] for name in drawn)) for i in (0, 1))
    shown = [
        Line(
            f"{swap}: {place}" if len(swaps) > 1 else place,
            tuple(
                Point(
                    float(layer),
                    found.value,
                    f"layer {layer}, {place}: {share(found.value)} "
                    f"{share_interval(found.low, found.high)}",
                )
                for layer, found in sorted(of, key=lambda pair: pair[0])
            ),
            colour=swaps.index(swap) if len(swaps) > 1 else places.index(place),
            dash=places.index(place),
            symbol=places.index(place),
        )
        for (swap, place), of in drawn.items()
    ]
    layers = sorted({point.x for line in shown for point in line.points})
    heights = [point.y for line in shown for point in line.points if point.y is not None]
    low, high = _widened(min([0.0, *heights]), max([1.0, *heights]))
    y = Axis("share of the swap's effect", low, high, percent=True)
    return Panels(Axis("layer", layers[0], layers[-1]), (Panel(y, tuple(shown)),), 260)


def _share_mark(found: Interval | None) -> Mark | None:
    if found is None:
        return None
    words = f"{share(found.value)} {share_interval(found.low, found.high)}"
    return Mark(found.value, found.low, found.high, words)


def _rung_words(rung: Rung, value: float) -> str:
    if rung.low is None or rung.high is None:
        return auroc(value)
    return f"{auroc(value)} [{auroc(rung.low)}, {auroc(rung.high)}]"


def _where(marks: Sequence[Mark], flags: Sequence[bool], wanted: bool) -> tuple[Mark | None, ...]:
    """The marks whose flag is the one wanted; None in the other rows."""
    return tuple(mark if flag == wanted else None for mark, flag in zip(marks, flags, strict=True))


def _widened(low: float, high: float) -> tuple[float, float]:
    """A range with a little room at either end."""
    room = 0.04 * (high - low) or 0.5
    return low - room, high + room
