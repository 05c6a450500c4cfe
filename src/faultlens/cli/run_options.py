"""Options of what becomes of a result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


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

    def of(self, dictionaries: Iterable[str]) -> dict[str, str]:
        """The labels of some dictionaries, by feature; none where no file is given."""
        from faultlens.corpus.labels import read_labels

        return {} if self.labels is None else read_labels(self.labels, list(dictionaries))


@dataclass(frozen=True)
class RunOptions:
    """The result."""

    out: Path | None = None
    """Run folder to write: results, tables, activations and report.html."""
    overwrite: bool = False
    """Replace a run that is there."""
    json: bool = False
    """Print the result as JSON on standard output; progress and warnings go to standard error."""
