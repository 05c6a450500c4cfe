"""Options of what becomes of a result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faultlens.runs.folder import Manifest


@dataclass(frozen=True)
class JsonOption:
    """The result."""

    json: bool = False
    """Print the result as JSON on standard output; progress and warnings go to standard error."""


@dataclass(frozen=True)
class LabelOptions:
    """Labels of features."""

    labels: Path | None = None
    """What somebody reads features as, shown beside them and never used: a batch of explanations as
    Neuronpedia publishes them (JSONL, also .gz), or a table (JSONL, CSV, TSV, Parquet) of `feature`
    and `label`."""

    def read(self, dictionaries: Iterable[str]) -> dict[str, str]:
        """The labels of some dictionaries, by feature; none where no file is given."""
        from faultlens.corpus.labels import read_labels

        return {} if self.labels is None else read_labels(self.labels, list(dictionaries))

    def of(self, dictionaries: Iterable[str], manifest: Manifest) -> dict[str, str]:
        """The same, and the file's hash is recorded."""
        from faultlens.runs.files import file_digest

        found = self.read(dictionaries)
        if self.labels is not None:
            manifest.inputs["labels"] = file_digest(self.labels)
        return found


@dataclass(frozen=True)
class RunOptions:
    """The result."""

    out: Path | None = None
    """Run folder to write: results, tables, activations and report.html."""
    overwrite: bool = False
    """Replace a run that is there."""
    json: bool = False
    """Print the result as JSON on standard output; progress and warnings go to standard error."""
