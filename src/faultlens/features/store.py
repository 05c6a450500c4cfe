"""Token-level activations on disk: a Parquet file a dictionary, readable without this package.

Columns `text_id, position, feature, activation`, sorted by feature, text and position, so that both
look-ups prune; position 0 is the first token after BOS.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from faultlens.features.reading import Batch

SCHEMA = pa.schema(
    [
        ("text_id", pa.int32()),
        ("position", pa.int32()),
        ("feature", pa.int32()),
        ("activation", pa.float32()),
    ]
)


@final
class ActivationStore:
    """Collects batches as they are read; `write` puts one file a dictionary into a folder."""

    def __init__(self) -> None:
        self._columns: dict[str, list[tuple[np.ndarray, ...]]] = {}

    def add(self, batch: Batch) -> None:
        """Take in what every dictionary saw in a batch."""
        for name, seen in batch.activations.items():
            lengths = np.diff(seen.offsets)
            text = np.repeat(np.array(batch.texts), lengths)
            position = np.arange(len(text)) - np.repeat(seen.offsets[:-1], lengths)
            fired = np.diff(seen.matrix.indptr)
            self._columns.setdefault(name, []).append(
                (
                    np.repeat(text, fired),
                    np.repeat(position, fired),
                    seen.matrix.indices,
                    seen.matrix.data,
                )
            )

    def write(self, folder: Path) -> list[Path]:
        """Write `folder/{dictionary}.parquet` for each dictionary; returns the paths."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, parts in self._columns.items():
            text, position, feature, activation = (
                np.concatenate(column) for column in zip(*parts, strict=True)
            )
            order = np.lexsort((position, text, feature))
            columns: Sequence[np.ndarray] = (
                text[order].astype(np.int32),
                position[order].astype(np.int32),
                feature[order].astype(np.int32),
                activation[order].astype(np.float32),
            )
            path = folder / f"{name}.parquet"
            part = path.with_suffix(".part")
            pq.write_table(
                pa.table(list(columns), schema=SCHEMA), part, compression="zstd",
                use_dictionary=["feature"],
            )  # fmt: skip
            os.replace(part, path)
            paths.append(path)
        return paths
