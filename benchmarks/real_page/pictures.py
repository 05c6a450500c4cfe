"""The pictures of `docs/real_models.md`: files that read well on a phone, in light and in dark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from faultlens.models.sites import Site
from faultlens.report.figures.chart import (
    Axis,
    Chart,
    Dots,
    Line,
    Mark,
    Panel,
    Panels,
    Point,
    Series,
)
from faultlens.report.figures.svg_file import svg_file
from real_page.tables import NAMES, failed, ratio

WIDTH = 380  # pixels, so that nothing is shrunk on a phone
DARK = (
    "@media(prefers-color-scheme:dark){svg{background:#16191d}text{fill:#e6e6e6}"
    "text.quiet{fill:#a5adb5}.grid{stroke:#3a4046}.reference{stroke:#a5adb5}"
    ".striking{color:#fb923c}.plain{color:#7fb0ff}g.quiet{color:#a5adb5}.c0{color:#7fb0ff}"
    ".c1{color:#fb923c}.c2{color:#5fd08f}.c3{color:#c9a2f2}}"
)
RUNGS = ("factors", "bag_of_tokens", "residual", "random_dictionary", "sae_top_k", "sae_all")
STYLES: tuple[Literal["striking", "plain", "quiet"], ...] = ("striking", "plain", "quiet")
WHERE = {"swapped": "the exchanged words", "last": "the last token"}


def drawn(chart: Chart, alt: str) -> str:
    """A figure as an SVG file that stands by itself."""
    return svg_file(chart, WIDTH, alt, DARK)


def figures(results: Mapping[str, Any]) -> dict[str, tuple[Chart, str]]:
    """By the file's name, each figure that the results allow, with what it shows in words."""
    found: dict[str, tuple[Chart, str]] = {}
    audits = {
        NAMES[model] + how: results[f"{step}-{model}"]
        for step, model, how in (
            ("layers", "gemma-3-270m", ""),
            ("layers", "SmolLM2-135M-Instruct", ""),
            ("start", "SmolLM2-135M-Instruct", ", wrong start"),
        )
        if f"{step}-{model}" in results
    }
    if audits:
        found["real_objects"] = (
            by_object(audits),
            "Share of prompts that fail, by what is given, with 95 % intervals",
        )
    for model, name in NAMES.items():
        swaps = [
            swap
            for swap in results.get(f"layers-{model}", {}).get("swaps", [])
            if any(patch["positions"] == "last" for patch in swap["patches"])
        ]
        if swaps:
            found[f"real_layers_{name.split()[0].lower()}"] = (
                by_layer(swaps[0]),
                f"{name}: share of the swap {swaps[0]['level']} → {swaps[0]['swapped_for']} that "
                "passes through the residual of the exchanged words, and of the last token, by "
                "layer",
            )
    ladders = {
        NAMES[model]: results[f"audit-{model}"]["baselines"]
        for model in NAMES
        if results.get(f"audit-{model}", {}).get("baselines")
    }
    if ladders:
        found["real_ladder"] = (
            ladder(ladders),
            "AUROC with which failure is foretold on prompts that were not seen, by what foretells",
        )
    return found


def by_object(audits: Mapping[str, Any]) -> Dots:
    """Failure rates, the objects in the order of the first audit's."""
    first = next(iter(audits.values()))["factors"]["object"]
    rows = sorted(first, key=lambda level: -failed(first[level]))
    series = []
    for (name, audit), style in zip(audits.items(), STYLES, strict=False):
        levels = audit["factors"].get("object", {})
        marks = tuple(
            None
            if row not in levels
            else Mark(
                failed(levels[row]), levels[row]["low"], levels[row]["high"],
                f"{name}, {row}: {ratio(levels[row])} fail",
            )
            for row in rows
        )  # fmt: skip
        series.append(Series(name, style, marks))
    return Dots(tuple(rows), tuple(series), Axis("prompts that fail", 0, 1, percent=True), 0.0)


def by_layer(swap: Mapping[str, Any]) -> Panels:
    """What part of a swap passes through the residual of some tokens, layer by layer."""
    lines = []
    for place, (positions, name) in enumerate(WHERE.items()):
        shares = {
            Site.parse(patch["site"]).layer: patch["denoise"]["value"]
            for patch in swap["patches"]
            if patch["positions"] == positions and not patch["features"] and patch["denoise"]
        }
        points = tuple(
            Point(layer, value, f"{name}, layer {layer}: {value:.2f}")
            for layer, value in sorted(shares.items())
        )
        lines.append(Line(name, points, colour=place, dash=place, symbol=place))
    values = [point.y for line in lines for point in line.points if point.y is not None]
    depth = max(point.x for line in lines for point in line.points)
    low, high = min(0.0, *values), max(1.0, *values)
    panel = Panel(Axis("share of the swap", low - 0.05, high + 0.05, percent=True), tuple(lines))
    return Panels(Axis("layer that is patched", 0, depth), (panel,), 240)


def ladder(ladders: Mapping[str, Any]) -> Dots:
    """The rungs of each model's ladder."""
    series = []
    for (name, rungs), style in zip(ladders.items(), STYLES, strict=False):
        marks = []
        for rung in RUNGS:
            one = rungs.get(rung, {})
            marks.append(
                None
                if one.get("auroc") is None
                else Mark(one["auroc"], one["low"], one["high"], f"{name}: {one['auroc']:.3f}")
            )
        series.append(Series(name, style, tuple(marks)))
    rows = tuple(rung.replace("_", " ").replace("sae", "SAE") for rung in RUNGS)
    return Dots(rows, tuple(series), Axis("AUROC", 0.4, 1.0), 0.5)


def pictured(name: str, results: Mapping[str, Any]) -> list[str]:
    """A figure in the page; nothing where its results are not there."""
    found = figures(results)
    return [f"![{found[name][1]}]({name}.svg)", ""] if name in found else []
