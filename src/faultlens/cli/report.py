"""`faultlens report`: build a run's page again from its results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from faultlens.cli.screen import say


def report(run: Annotated[str, "A run folder"]) -> None:
    """Build report.html of a run folder again from its JSON files."""
    from faultlens.report.html import write_page

    say([f"The report: {write_page(Path(run))}"])
