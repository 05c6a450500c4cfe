"""Token-level activations on disk: a Parquet file a dictionary, readable without this package.

Columns `text_id, position, feature, activation`, sorted by feature, text and position, so that both
look-ups prune; position 0 is the first token after BOS. Tokens that do not count are not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from faultlens.runs.files import file_name, new_file, real_folder

if TYPE_CHECKING:  # it loads PyTorch
    from faultlens.features.reading import ReadTexts

SCHEMA = pa.schema(
    [
        ("text_id", pa.int32()),
        ("position", pa.int32()),
        ("feature", pa.int32()),
        ("activation", pa.float32()),
    ]
)


@dataclass(frozen=True, eq=False)
class Firings:
    """Every activation of one dictionary, sorted by feature, text and position; `[firings]` each.

    Attributes:
        text: row of the text, int32.
        position: of the token in its text, from 0, BOS not counted, int32.
        feature: int32.
        activation: above 0, float32.
    """

    text: np.ndarray
    position: np.ndarray
    feature: np.ndarray
    activation: np.ndarray

    def of(self, feature: int) -> Firings:
        """Those of one feature."""
        first, last = np.searchsorted(self.feature, [feature, feature + 1])
        part = slice(int(first), int(last))
        return Firings(
            self.text[part], self.position[part], self.feature[part], self.activation[part]
        )


@final
class ActivationStore:
    """Collects what is read; `write` puts one file a dictionary into a folder."""

    def __init__(self) -> None:
        self._columns: dict[str, list[tuple[np.ndarray, ...]]] = {}
        self._sorted: dict[str, Firings] = {}

    def add(self, read: ReadTexts) -> None:
        """Take in what every dictionary saw in some texts."""
        self._sorted.clear()
        for name, seen in read.activations.items():
            text = np.repeat(np.array(read.texts, dtype=np.int32), np.diff(seen.offsets))
            fired = np.diff(seen.matrix.indptr)
            self._columns.setdefault(name, []).append(
                (
                    np.repeat(text, fired),
                    np.repeat(seen.positions, fired),
                    seen.matrix.indices,
                    seen.matrix.data,
                )
            )

    def firings(self, name: str) -> Firings:
        """All that was taken in of the dictionary called `name`."""
        if name not in self._sorted:
            text, position, feature, activation = (
                np.concatenate(column) for column in zip(*self._columns[name], strict=True)
            )
            order = np.lexsort((position, text, feature))
            self._sorted[name] = Firings(
                text[order].astype(np.int32),
                position[order].astype(np.int32),
                feature[order].astype(np.int32),
                activation[order].astype(np.float32),
            )
        return self._sorted[name]

    def drop(self, name: str) -> None:
        """Forget what was taken in of a dictionary."""
        self._columns.pop(name, None)
        self._sorted.pop(name, None)

    def write(self, folder: Path) -> list[Path]:
        """Write `folder/{dictionary}.parquet` for each dictionary; returns the paths.

        Raises CannotWrite if there is no room for them.
        """
        real_folder(folder)
        paths = []
        for name in self._columns:
            found = self.firings(name)
            columns = [found.text, found.position, found.feature, found.activation]
            path = folder / f"{file_name(name)}.parquet"
            with new_file(path) as file:
                pq.write_table(
                    pa.table(columns, schema=SCHEMA), file, compression="zstd",
                    use_dictionary=["feature"],
                )  # fmt: skip
            paths.append(path)
        return paths
