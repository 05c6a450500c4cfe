"""One file of a dataset: the firings of one dictionary on a range of texts.

Columns `text_id, position, feature, activation`, sorted by feature, text and position, in row
groups whose smallest and largest feature tell a reader which to leave alone. The bytes depend on
the firings alone: one `write_table` a file, no time in it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from faultlens.errors import UserError
from faultlens.features.dataset.config import Precision
from faultlens.features.store import Firings
from faultlens.runs.files import new_file, real_folder
from faultlens.runs.location import is_local

ROW_GROUP = 65_536  # firings: the least that is read to see one feature
COLUMNS = ("text_id", "position", "feature", "activation")
ENCODING = {"float32": "BYTE_STREAM_SPLIT", "float16": "PLAIN"}
"""Of activations: DuckDB reads no float16 that is split into bytes, and plain is as small."""
_LARGEST, _SMALLEST = float(np.finfo(np.float16).max), np.float16(2.0**-24)


def write_shard(path: Path, firings: Firings, precision: Precision) -> str:
    """Write a file in one step: it is on the disk, whole, before it has its name.

    Returns:
        The SHA-256 of its content.

    Raises:
        CannotWrite: there is no room for it, or a link stands for its folder.
    """
    whole = [pa.array(a) for a in (firings.text, firings.position, firings.feature)]
    table = pa.table([*whole, pa.array(stored(firings.activation, precision))], names=list(COLUMNS))
    content = io.BytesIO()
    pq.write_table(
        table, content, compression="zstd", use_dictionary=False, row_group_size=ROW_GROUP,
        column_encoding={
            **dict.fromkeys(COLUMNS[:3], "DELTA_BINARY_PACKED"),
            "activation": ENCODING[precision],
        },
        store_schema=False,
    )  # fmt: skip
    real_folder(path.parent)
    with new_file(path) as file:
        file.write(content.getbuffer())
    return hashlib.sha256(content.getbuffer()).hexdigest()


def stored(activation: np.ndarray, precision: Precision) -> np.ndarray:
    """Activations as they go to the disk; what fires still does.

    Raises UserError for one beyond float16, which ends at 65,504.
    """
    if precision == "float32":
        return activation.astype(np.float32)
    if len(activation) and activation.max() > _LARGEST:
        raise UserError(
            f"an activation of {activation.max():.6g} does not fit into float16, which ends at "
            "65,504: choose --precision float32"
        )
    return np.maximum(activation.astype(np.float16), _SMALLEST)


def firings_in(path: Path) -> int:
    """How many firings a file holds. Raises UserError if it cannot be read."""
    with _readable(path) as file:
        return int(pq.read_metadata(file).num_rows)


def read_groups(path: Path, column: str, low: int, high: int) -> tuple[Firings, int]:
    """The firings of the row groups in which `column` may lie between `low` and `high`.

    Returns:
        Those of them that do, and how many row groups were read.

    Raises:
        UserError: the file cannot be read.
    """
    with _readable(path) as opened:
        file = pq.ParquetFile(opened)
        _check_schema(path, file.schema_arrow)
        index = COLUMNS.index(column)
        wanted = []
        for group in range(file.metadata.num_row_groups):
            seen = file.metadata.row_group(group).column(index).statistics
            if seen is None or (seen.min <= high and seen.max >= low):
                wanted.append(group)
        table = file.read_row_groups(wanted, columns=list(COLUMNS))
    text, position, feature, activation = (table[name].to_numpy() for name in COLUMNS)
    of = {"feature": feature, "text_id": text}[column]
    kept = (of >= low) & (of <= high)
    found = Firings(text[kept], position[kept], feature[kept], activation[kept].astype(np.float32))
    return found, len(wanted)


def _check_schema(path: Path, schema: pa.Schema) -> None:
    """Raises UserError unless a file has the columns of a store, of their types."""
    kinds = (*(pa.types.is_int32,) * 3, pa.types.is_floating)
    right = tuple(schema.names) == COLUMNS and all(
        kind(column) for kind, column in zip(kinds, schema.types, strict=True)
    )
    if not right:
        held = ", ".join(f"{field.name} {field.type}" for field in schema) or "nothing"
        raise UserError(
            f"{path} is no file of a store: it holds {held}, expected {', '.join(COLUMNS)}; run "
            "the command that made the store again, which rebuilds it"
        )


@contextmanager
def _readable(path: Path) -> Iterator[Any]:
    """What PyArrow reads a file from; what is wrong with it becomes one sentence."""
    try:
        if is_local(path):
            yield path
        else:
            with path.open("rb") as opened:
                yield opened
    except (OSError, pa.ArrowException) as error:
        raise UserError(
            f"{path} cannot be read as Parquet ({str(error).splitlines()[0]}): run the command "
            "that made the store again, which rebuilds it"
        ) from error
