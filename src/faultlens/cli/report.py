"""`faultlens report`: build a run's page again from its results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from faultlens.cli.screen import say
from faultlens.errors import UserError


def report(run: Annotated[str, "A run folder"]) -> None:
    """Build report.html of a run folder again from its JSON files."""
    from faultlens.report.page import write_page
    from faultlens.runs.claim import work_folder
    from faultlens.runs.lock import held

    folder = Path(run)
    if not folder.is_dir():
        raise UserError(f"no folder {folder}: expected the folder of a run")
    with held(work_folder(folder), folder):
        page = write_page(folder)
    say([f"The report: {page}"])
