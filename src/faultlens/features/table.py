"""FeatureTable: rows are texts, columns are features; the hinge between reading and concluding."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix

from faultlens.errors import UserError
from faultlens.features.matrix import read_sparse
from faultlens.numbers import clipped, counted, listed, number

if TYPE_CHECKING:
    import pandas as pd

SHOWN_TEXTS = 10  # in a notebook


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Pooled activations of one dictionary over some texts.

    Attributes:
        name: the dictionary's name; feature `j` is written `{name}/{j}`.
        matrix: float32 CSR `[texts, d_sae]`, non-negative.
        rows: one line a text: `text`, `tokens` (pooled tokens, BOS not counted) and
            `residual_norm` (mean norm of the site's values over them). For tables that were
            brought, only what is known.
        convention: what was done to get here: pooling, BOS, centring, the dictionary's digest.
        layer: the site's layer, where it is known.
    """

    name: str
    matrix: csr_matrix
    rows: pd.DataFrame
    convention: dict[str, Any]
    layer: int | None = None

    def __post_init__(self) -> None:
        if len(self.rows) != self.matrix.shape[0]:
            raise ValueError(f"{self.matrix.shape[0]} rows of features, {len(self.rows)} texts")
        if not isinstance(self.matrix, csr_matrix):
            object.__setattr__(self, "matrix", csr_matrix(self.matrix))
        try:
            self.matrix.check_format(full_check=True)
        except ValueError as error:
            raise UserError(f"table {self.name} holds no valid CSR matrix: {error}") from error
        if not np.isfinite(self.matrix.data).all():
            raise UserError(f"table {self.name} holds NaN or infinite values: expected activations")

    @property
    def n_texts(self) -> int:
        return int(self.matrix.shape[0])

    @property
    def d_sae(self) -> int:
        return int(self.matrix.shape[1])

    def feature(self, index: int) -> str:
        return f"{self.name}/{index}"

    def strongest(self, text: int, most: int = 3) -> list[tuple[str, float]]:
        """The features that are strongest on one text, with their activations."""
        row = self.matrix[text]
        order = np.argsort(-row.data, kind="stable")[:most]
        pairs = zip(row.indices[order].tolist(), row.data[order].tolist(), strict=True)
        return [(self.feature(index), value) for index, value in pairs]

    def _repr_html_(self) -> str:
        """The notebook view: the first texts, each with its strongest features."""
        rows, texts = [], list(self.rows.get("text", [""] * self.n_texts))
        for text, words in enumerate(texts[:SHOWN_TEXTS]):
            best = [f"{feature} {number(value)}" for feature, value in self.strongest(text)]
            rows.append([clipped(str(words), 60), f"{self.matrix[text].nnz:,}", listed(best)])
        caption = (
            f"{self.name}: {counted(self.n_texts, 'text')} × {self.d_sae:,} features, pooled by "
            f"{self.convention.get('pooling', 'a way that is not known')}"
        )
        shown = import_module("faultlens.report.notebook")
        return str(shown.table_view(caption, ["Text", "Features firing", "Strongest"], rows))

    def take(self, rows: np.ndarray) -> FeatureTable:
        """The same features for some of the texts, by index or boolean mask."""
        return FeatureTable(
            self.name,
            csr_matrix(self.matrix[rows]),
            self.rows.iloc[rows].reset_index(drop=True),
            self.convention,
            self.layer,
        )


def check_values(tables: Mapping[str, FeatureTable], where: str) -> None:
    """Raises UserError for a table in which nothing fires, and for two that hold the same values.

    `where`: what the rows are, as a sentence names it, e.g. "any prompt".
    """
    seen: dict[bytes, str] = {}
    for name, table in tables.items():
        if not (table.matrix.data > 0).any():
            raise UserError(f"no feature of {name} fires on {where}: expected activations above 0")
        digest = _values_digest(table.matrix)
        if digest in seen:
            raise UserError(
                f"tables {seen[digest]} and {name} hold the same values: expected a matrix of its "
                "own for each dictionary"
            )
        seen[digest] = name


def _values_digest(matrix: csr_matrix) -> bytes:
    plain = csr_matrix(matrix, copy=True)
    plain.sum_duplicates()
    plain.eliminate_zeros()
    digest = hashlib.sha256(str(plain.shape).encode())
    for part in (plain.indptr.astype(np.int64), plain.indices.astype(np.int64), plain.data):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.digest()


def table_from_matrix(name: str, path: Path, texts: Sequence[str], pooling: str) -> FeatureTable:
    """A table somebody else computed, from a file that `read_sparse` reads.

    `name` is the dictionary's name, e.g. `6-res-jb`; its leading number is taken as the layer.
    Raises UserError if the file cannot be read, does not fit the texts, or holds bad values.
    """
    from pandas import DataFrame  # looking at a text needs none, and it takes half a second

    matrix = read_sparse(path)
    if matrix.shape[0] != len(texts):
        raise UserError(f"{path} has {matrix.shape[0]} rows, but there are {len(texts)} texts")
    if (matrix.data < 0).any():
        raise UserError(f"{path} holds negative values: expected activations, which are >= 0")
    layer = re.match(r"[0-9]{1,9}(?=-|$)", name)
    return FeatureTable(
        name,
        matrix,
        DataFrame({"text": list(texts)}),
        {"source": str(path), "pooling": pooling},
        int(layer[0]) if layer is not None else None,
    )
