"""Options of what becomes of a result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class JsonOption:
    """The result."""

    json: bool = False
    """Print the result as JSON on standard output; progress and warnings go to standard error."""


@dataclass(frozen=True)
class RunOptions:
    """The result."""

    out: Path | None = None
    """Run folder to write: results, tables, activations and report.html."""
    overwrite: bool = False
    """Replace a run that is there."""
    json: bool = False
    """Print the result as JSON on standard output; progress and warnings go to standard error."""
