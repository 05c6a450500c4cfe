"""Writes `validity.md`, and the table in the README, from `benchmarks/validity.json`.

`faultlens bench --part whole --sets 40 --out benchmarks/validity.json` makes that file; then
`python docs/validity.py` renders it. A test says when either page is stale.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from faultlens.testing.bench import NULLS, Case, cell, table_of
from faultlens.testing.rivals import RIVALS

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "validity.json"
PAGE, README = Path(__file__).with_name("validity.md"), ROOT / "README.md"
BEGIN, END = "<!-- how often: docs/validity.py -->", "<!-- end -->"

HEAD = """# How often is the audit right?

<!-- Written by docs/validity.py from benchmarks/validity.json: run these again, do not edit. -->

Data sets with a planted truth, each audited as a user would (1,000 permutations, no ladder, no
model), beside four simpler procedures. `faultlens bench --part whole --sets 40 --out
benchmarks/validity.json` runs them, and goes on where it left off; `faultlens.testing.plant` makes
a single one. What each kind is stands beside it in `faultlens/testing/kinds.py`.

- *found*: a planted feature is in a significant class, or found within strata only.
- *first*: it leads the most certain class; of a rival, it is ranked first. Features that copy a
  level of a factor are passed over, in all procedures alike.
- *adds beyond*: it is said to add beyond the prompt's factors, without a reservation: right of a
  cause where a factor goes with failure, wrong of a proxy.
- Intervals are Clopper–Pearson's, 95 %. `made-up` are prompts and features drawn by rules, `mini`
  the bundled model's own activations under planted outcomes.

"""


def page(result: dict[str, Any]) -> str:
    """The whole page."""
    return HEAD + "\n".join(table_of(result)) + "\n"


def summary(result: dict[str, Any]) -> str:
    """The README's table: the audit beside its rivals."""
    rates = result["rates"]
    rows = []
    for words, case in (
        ("cause by firing, 300 prompts: put first", Case("firing")),
        ("the same, 150 prompts, medium effect", Case("firing", n=150, strength="medium")),
        ("cause that fires everywhere: put first", Case("dense")),
        ("the same, 150 prompts, medium effect", Case("dense", n=150, strength="medium")),
    ):
        found = rates[case.name]
        rows.append([words, found["first"], *found["rivals_first"].values()])
    for words, kind in (
        ("nothing there: something said to be found", "null_independent"),
        ("the same, prompts in groups of six", "null_grouped"),
        ("the same, every prompt twice but for a word", "null_near_duplicates"),
    ):
        assert kind in NULLS
        found = rates[Case(kind).name]
        rows.append([words, found["any_found"], *found["rivals_found"].values()])
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
    return "\n".join(lines)


def with_summary(readme: str, result: dict[str, Any]) -> str:
    """The README with the table between its marks."""
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{summary(result)}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    measured = json.loads(RESULTS.read_text(encoding="utf-8"))
    PAGE.write_text(page(measured), encoding="utf-8")
    README.write_text(with_summary(README.read_text(encoding="utf-8"), measured), encoding="utf-8")
