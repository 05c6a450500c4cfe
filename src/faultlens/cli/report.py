"""`faultlens report`: build a run's page again from its results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faultlens.cli.screen import say
from faultlens.errors import UserError


def report(
    run: Annotated[Path, typer.Argument(help="A run folder")],
) -> None:
    """Build report.html of a run folder again from its JSON files."""
    from faultlens.report.html import write_page
    from faultlens.runs.claim import work_folder
    from faultlens.runs.lock import held

    if not run.is_dir():
        raise UserError(f"no folder {run}: expected the folder of a run")
    with held(work_folder(run), run):
        page = write_page(run)
    say([f"The report: {page}"])
