"""`faultlens report`: build a run's page again from its results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faultlens.cli.screen import say


def report(
    run: Annotated[Path, typer.Argument(help="A run folder")],
) -> None:
    """Build report.html of a run folder again from its JSON files."""
    from faultlens.report.page import write_page

    say([f"The report: {write_page(run)}"])
