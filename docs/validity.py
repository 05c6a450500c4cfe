"""Writes `validity.md`, its figures, and the table in the README, from `benchmarks/validity.json`.

`faultlens bench --part whole --sets 40 --out benchmarks/validity.json`, and with `--level 2` again,
make that file; then `python docs/validity.py` renders it. A test says when either page is stale.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

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
from faultlens.testing.bench import (
    NULLS,
    TESTING,
    Case,
    behind,
    cell,
    older,
    rate,
    table_of,
)
from faultlens.testing.planted_models.model_bench import model_table
from faultlens.testing.rivals import RIVALS

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "validity.json"
PAGE, README = Path(__file__).with_name("validity.md"), ROOT / "README.md"
BEGIN, END = "<!-- how often: docs/validity.py -->", "<!-- end -->"

WIDTH = 720
COLOURS = ".c4{color:#c0392b}.c5{color:#6b7280}"  # of further series

HEAD = """# How often is the audit right?

<!-- Written by docs/validity.py from benchmarks/validity.json: run these again, do not edit. -->

Data sets with a planted truth, each audited as a user would (1,000 permutations, no ladder, no
model), beside four simpler procedures. `faultlens bench --part whole --sets 40 --workers 2 --out
benchmarks/validity.json` runs them, goes on where it left off, and does again what an older
procedure scored (rivals apart); `faultlens.testing.plant` makes a single one. What each kind is
stands in `faultlens/testing/` (`causes.py`, `proxies.py`, `nulls.py`).

- *found*: a planted feature is in a significant class, or found within strata only.
- *first*: it leads the most certain class that is found; *first by rank alone*: it is ranked first
  of all features, found or not, which is all that a rival's *first* says. Features that copy a
  level of a factor are passed over, in all procedures alike.
- *adds beyond*: it is said to add beyond the prompt's factors, without a reservation: right of a
  cause where a factor goes with failure, wrong of a proxy.
- *within strata only*: it is said to go with failure only among prompts alike in some factors.
- Intervals are Clopper–Pearson's, 95 %. `made-up` are prompts and features drawn by rules, `mini`
  the bundled model's own activations under planted outcomes.

A *collider* stands among the proxies and not where nothing is to be found: a factor that was given
is a consequence both of a feature that does nothing and of failure. Among prompts alike in that
factor the feature then does go with failure, in the data and not by chance, and a test of
association that did not find it would be at fault. A cause that avoids the prompts at which another
factor fails (*suppressed*) makes the very same counts, so no such test can tell the two apart. What
an audit owes its reader is to say so, and it does, in the verdict and in the ledger: "a cause that
X hides, or no cause, X being a consequence of it and of failure (a collider); only an intervention
tells". *within strata only* counts how often it was said.

"""


MODELS = """
## Causes planted in a model

`mini` with a cause planted in it, by editing its weights or by a small fine-tune, each model
audited with interventions on prompts of its own: `faultlens bench --level 2 --out
benchmarks/validity.json`. What was planted is known without the audit: on other prompts, the share
of the planted change that goes away when features are set to 0 in both the planted model and `mini`
is the share that passes through them (in brackets).

- *found*: a planted feature, or features through which at least half passes, is CAUSE or
  CONTRIBUTES. Empty where no cause was planted that a dictionary describes where the audit looks.
- *false CAUSE*: one through which less than a quarter passes. *Off-path*: less than a twentieth.
- *presence*: one cause, two causes, an attention head's, a compensated one, fine-tunes. Models
  whose planted features pass less than half of what was planted do not count as missed.

"""


def page(result: dict[str, Any]) -> str:
    """The whole page."""
    shown = "".join(f"![{alt}]({name}.svg)\n\n" for name, (_, alt) in figures(result).items())
    tables = "\n".join(table_of(result)) + "\n"
    models = "\n".join(model_table(result)) + "\n"
    return HEAD + _older_words(result) + shown + tables + _behind_words(result) + MODELS + models


def _behind_words(result: dict[str, Any]) -> str:
    """Where a rival ranks causes better; empty where no ranking of ours was measured."""
    if not any("first_by_rank" in rates for rates in result["rates"].values()):
        return ""
    rows = behind(result)
    if not rows:
        return (
            "\nNo rival ranks a cause first more often than the interval of our ranking allows.\n"
        )
    head = "Rows on which a rival ranks the cause first more often than our interval allows:"
    return "\n".join(["", head, "", *rows, ""])


def _older_words(result: dict[str, Any]) -> str:
    """How much of it an older procedure measured; empty if nothing."""
    before, sets = older(result)
    if not before:
        return ""
    return (
        f"Of {sets:,} sets {before:,} were audited before the last change of the tests, and are to "
        "be audited again; what is new in these tables is empty there.\n\n"
    )


def figures(result: dict[str, Any]) -> dict[str, tuple[Chart, str]]:
    """By the file's name, each figure with what it shows in words."""
    return {
        "validity_power": (
            _power(result["rates"]),
            "How often a strong cause is put first, by the number of prompts: above, one that "
            "causes failure by firing; below, one that fires everywhere",
        ),
        "validity_errors": (
            _errors(result),
            "How often something is said to be found where there is nothing, at .05, with 95 % "
            "intervals: 300 prompts, and all such sets of every kind and size together",
        ),
    }


def drawn(chart: Chart, alt: str) -> str:
    """A figure as an SVG file that stands by itself."""
    return svg_file(chart, WIDTH, alt, COLOURS)


def _power(rates: dict[str, Any]) -> Panels:
    sizes = (60, 150, 300, 1000)
    panels = []
    for kind in ("firing", "dense"):
        found = [rates[Case(kind, n=n).name] for n in sizes]
        shares = {"FaultLens": [rate["first"] for rate in found]}
        shares |= {name: [rate["rivals_first"][name] for rate in found] for name in RIVALS}
        if all("first_by_rank" in rate for rate in found):
            shares["FaultLens, by rank alone"] = [rate["first_by_rank"] for rate in found]
        lines = tuple(
            Line(
                name,
                tuple(
                    Point(n, of[0], f"{name}, {kind}, {n} prompts: {cell(of)}")
                    for n, of in zip(sizes, shares[name], strict=True)
                ),
                colour=place,
                dash=place,
                symbol=place,
            )
            for place, name in enumerate(shares)
        )
        panels.append(Panel(Axis(f"put first: {kind}", 0, 1, percent=True), lines))
    ticks = tuple((float(n), f"{n:,}") for n in sizes)
    return Panels(Axis("prompts", 50, 1200, log=True, ticks=ticks), tuple(panels), 400)


def _errors(result: dict[str, Any]) -> Dots:
    rates, together = result["rates"], _nulls_together(result)
    found = {kind: rates[Case(kind).name] for kind in NULLS}
    series = []
    names = ("FaultLens", *TESTING)
    styles: tuple[Literal["striking", "plain", "quiet"], ...] = ("striking", "plain", "quiet")
    for name, style in zip(names, styles, strict=True):
        marks = []
        for kind, of_kind in found.items():
            value = of_kind["any_found"] if name == "FaultLens" else of_kind["rivals_found"][name]
            marks.append(Mark(*value, words=f"{name}, {kind}: {cell(value)}"))
        marks.append(Mark(*together[name], words=f"{name}, all of them: {cell(together[name])}"))
        series.append(Series(name, style, tuple(marks)))
    rows = (*(kind.removeprefix("null_").replace("_", " ") for kind in NULLS), "all of them")
    return Dots(rows, tuple(series), Axis("share of sets", 0, 1, percent=True), 0.05)


def _null_scores(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The scores of all sets in which nothing is to be found."""
    null = [one for one in result["cases"].values() if one["case"]["kind"] in NULLS]
    return [score for one in null for score in one["scores"]]


def _nulls_together(result: dict[str, Any]) -> dict[str, list[float]]:
    """In what share of them something is said to be found, by procedure."""
    scores = _null_scores(result)
    found = {"FaultLens": [score["any_found"] for score in scores]}
    found |= {name: [score["rivals_found"][name] for score in scores] for name in TESTING}
    return {name: rate(sum(said), len(said)) for name, said in found.items()}


def summary(result: dict[str, Any]) -> str:
    """The README's table: the audit beside its rivals."""
    rates = result["rates"]
    rows = []
    for words, case in (
        ("cause by firing, 300 prompts: ranked first", Case("firing")),
        ("the same, 150 prompts, medium effect", Case("firing", n=150, strength="medium")),
        ("cause that fires everywhere: ranked first", Case("dense")),
        ("the same, 150 prompts, medium effect", Case("dense", n=150, strength="medium")),
    ):
        found = rates[case.name]
        ours = found.get("first_by_rank", found["first"])  # as rivals rank, found or not
        rows.append([words, ours, *found["rivals_first"].values()])
    for words, kind in (
        ("nothing there: something said to be found", "null_independent"),
        ("the same, prompts in groups of six", "null_grouped"),
        ("the same, every prompt twice but for a word", "null_near_duplicates"),
    ):
        assert kind in NULLS
        found = rates[Case(kind).name]
        rows.append([words, found["any_found"], *found["rivals_found"].values()])
    together = _nulls_together(result)
    words = f"all {len(_null_scores(result)):,} sets with nothing there, of every kind and size"
    rows.append([words, together["FaultLens"], *[together.get(name) for name in RIVALS]])
    for words, kind in (
        ("follows the length only: said to add beyond it", "numeric"),
        ("copies a pair of factors only: said to add", "and_cell"),
    ):
        rows.append([words, rates[Case(kind).name]["adds"], *[None] * len(RIVALS)])
    sets = min(rates[Case(kind).name]["sets"] for kind in ("firing", "dense", *NULLS))
    lines = [
        f"On data sets with a planted truth, {sets} or more of each kind "
        "([docs/validity.md](docs/validity.md)):",
        "",
        f"| | FaultLens | {' | '.join(RIVALS)} |",
        f"| {' | '.join(['---'] * (2 + len(RIVALS)))} |",
    ]
    lines += [f"| {words} | {' | '.join(map(cell, cells))} |" for words, *cells in rows]
    return "\n".join([*lines, "", _of_models(result["model_rates"])])


def _of_models(rates: dict[str, Any]) -> str:
    """What the README says of the planted models."""
    said = [
        f"{words} {cell(rates[name])}"
        for words, name in (
            ("a cause by presence is found and called CAUSE or CONTRIBUTES in", "presence found"),
            (
                "one by absence, an AND or an overlapping OR in",
                "absence, AND, overlapping OR found",
            ),
            ("of the features called CAUSE, false are", "false CAUSE"),
            ("of the features with no part in it, said to have an effect are", "off-path shown"),
        )
        if rates[name] is not None
    ]
    return f"In {rates['models']} models with a cause planted in `mini`: {'; '.join(said)}."


def with_summary(readme: str, result: dict[str, Any]) -> str:
    """The README with the table between its marks."""
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{summary(result)}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    measured = json.loads(RESULTS.read_text(encoding="utf-8"))
    PAGE.write_text(page(measured), encoding="utf-8")
    for stem, (shown, alt) in figures(measured).items():
        PAGE.with_name(f"{stem}.svg").write_text(drawn(shown, alt), encoding="utf-8")
    README.write_text(with_summary(README.read_text(encoding="utf-8"), measured), encoding="utf-8")
