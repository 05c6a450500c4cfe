"""`faultlens compare`: runs side by side, and what differs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from faultlens.cli.lens_of_run import open_lens_of_run
from faultlens.cli.run_options import JsonOption
from faultlens.cli.screen import say, say_json
from faultlens.errors import UserError


@dataclass(frozen=True)
class CompareOptions:
    """How runs are compared, and where the page goes."""

    out: Path | None = None
    """Page to write, e.g. `compared.html`; one that is there is replaced."""
    directions: bool = True
    """Compare what features write as well: where the runs read other dictionaries, these are
    loaded."""

    def __post_init__(self) -> None:
        if self.out is not None and self.out.suffix.lower() not in (".html", ".htm"):
            raise UserError(f"--out {self.out}: expected a page, e.g. compared.html")
        if self.out is not None and self.out.is_dir():
            raise UserError(f"--out {self.out} is a folder: expected a page, e.g. compared.html")


def compare(
    runs: Annotated[tuple[str, ...], "Run folders, two or more; each is compared with the first"],
    *,
    options: CompareOptions,
    result: JsonOption,
) -> None:
    """What differs between runs: two models, layers, prompt sets, dictionaries or dates.

    Outcomes are paired by prompt (McNemar's exact test), levels of factors stand side by side,
    classes are matched by their features, by firing and by direction, and of each verdict that is
    another it is said why. Profiles are compared category by category.
    """
    from faultlens.comparing.shown.document import comparison_document
    from faultlens.comparing.study import compare as compare_runs
    from faultlens.report.html import build_page
    from faultlens.report.terminal.summary import document_lines
    from faultlens.runs.files import write_text

    found = compare_runs(runs, open_lens_of_run if options.directions else None)
    document = comparison_document(found)
    if options.out is not None:
        write_text(options.out, build_page(document))
    if result.json:
        say_json(found.to_dict())
        return
    page = [] if options.out is None else ["", f"The page: {options.out}"]
    say([*document_lines(document), *page])
