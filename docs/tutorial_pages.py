"""Writes the tutorials' pages and notebooks: `python docs/tutorial_pages.py`.

A tutorial is a Python file whose cells begin with `# %%`, those of text with `# %% [markdown]`;
editors and Jupyter (by jupytext) open it as it is. Each is run from the repository's root; its page
shows code, text and what came out, and the notebook beside it holds the cells alone. Tests run the
cells too, and say when a page is stale.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("tutorials")
NAMES = ("profile", "audit", "log")
MARK = re.compile(r"^# %%(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """Text or code, as it stands in the file without its mark."""

    is_code: bool
    source: str


@dataclass(frozen=True)
class Output:
    """What a cell of code shows: what it printed, then its last expression's value."""

    printed: str = ""
    html: str = ""
    text: str = ""


def cells(path: Path) -> list[Cell]:
    """The cells of a tutorial."""
    parts = MARK.split(path.read_text(encoding="utf-8"))[1:]
    return [
        Cell(True, body.strip())
        if "markdown" not in kind
        else Cell(False, re.sub(r"^# ?", "", body.strip(), flags=re.MULTILINE))
        for kind, body in zip(parts[::2], parts[1::2], strict=True)
    ]


def run(tutorial: Sequence[Cell], names: dict[str, Any] | None = None) -> list[Output]:
    """Run the code cells in order, in one namespace; an output a cell, empty for text."""
    names = {} if names is None else names
    return [_run(cell.source, names) if cell.is_code else Output() for cell in tutorial]


def page(name: str, tutorial: Sequence[Cell], outputs: Sequence[Output]) -> str:
    """The tutorial's page in Markdown, outputs included."""
    parts = [f"<!-- Written by docs/tutorial_pages.py from {name}.py. -->"]
    for place, (cell, output) in enumerate(zip(tutorial, outputs, strict=True)):
        parts.append(f"```python\n{cell.source}\n```" if cell.is_code else cell.source)
        if place == 0:
            parts.append(f"[As a notebook]({name}.ipynb){{ download }} · [as a script]({name}.py)"
                         "{ download }")  # fmt: skip
        if output.printed or output.text:
            parts.append(f"```text\n{output.printed}{output.text}\n```".replace("\n\n```", "\n```"))
        if output.html:
            parts.append(f'<div class="output">\n{output.html}\n</div>')
    return "\n\n".join(parts) + "\n"


def notebook(tutorial: Sequence[Cell]) -> str:
    """The tutorial as a Jupyter notebook (nbformat 4), not run."""
    found = [
        {
            "cell_type": "code" if cell.is_code else "markdown",
            "id": f"cell-{place}",
            "metadata": {},
            "source": cell.source.splitlines(keepends=True),
            **({"execution_count": None, "outputs": []} if cell.is_code else {}),
        }
        for place, cell in enumerate(tutorial)
    ]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    whole = {"cells": found, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _run(source: str, names: dict[str, Any]) -> Output:
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "<tutorial>", "exec"), names)
        value = None
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<tutorial>", "eval"), names)
    html = getattr(value, "_repr_html_", None)
    if html is not None:
        return Output(printed.getvalue(), _without_blank_lines(html()))
    return Output(printed.getvalue(), "", "" if value is None else repr(value))


def _without_blank_lines(html: str) -> str:
    """Markdown ends a block of HTML at an empty line."""
    return "\n".join(line for line in html.splitlines() if line.strip())


def main() -> None:
    for name in NAMES:
        tutorial = cells(FOLDER / f"{name}.py")
        written = page(name, tutorial, run(tutorial))
        (FOLDER / f"{name}.md").write_text(written, encoding="utf-8")
        (FOLDER / f"{name}.ipynb").write_text(notebook(tutorial), encoding="utf-8")


if __name__ == "__main__":
    main()
