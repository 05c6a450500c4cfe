"""Pooled tables: one feature table a dictionary, collected from batches of token activations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, vstack

from faultlens.features.pooling import Pooling, pool
from faultlens.features.reading import Batch, TokenActivations
from faultlens.features.reading_config import Long
from faultlens.features.table import FeatureTable
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model


class PooledTables:
    """Takes in every text's tokens once, in any order, and gives the tables.

    Args:
        model: that was read.
        dictionaries: it was read through.
        pooling: how a text's token activations become one number.
        long: what was done to texts longer than the context; noted in the tables.
        fit_check: by dictionary, what came of the fit check; noted in the tables.
    """

    def __init__(
        self,
        model: Model,
        dictionaries: Sequence[Dictionary],
        pooling: Pooling,
        long: Long = "error",
        fit_check: Mapping[str, str] | None = None,
    ) -> None:
        self._model, self._dictionaries = model, dictionaries
        self._pooling, self._long, self._fit_check = pooling, long, fit_check or {}
        self._pooled: dict[str, list[csr_matrix]] = {d.name: [] for d in dictionaries}
        self._norms: dict[str, list[float]] = {d.name: [] for d in dictionaries}
        self._order: list[int] = []
        self._counts: list[int] = []

    def add(self, batch: Batch) -> None:
        """Pool a batch of texts."""
        self._order.extend(batch.texts)
        for name, seen in batch.activations.items():
            self._pooled[name].append(pool(seen.matrix, seen.offsets, self._pooling))
            self._norms[name].extend(_means(seen))
        self._counts.extend(np.diff(next(iter(batch.activations.values())).offsets).tolist())

    def result(self, texts: Sequence[str]) -> dict[str, FeatureTable]:
        """By dictionary the table of all texts, in their order."""
        back = np.argsort(self._order)
        return {d.name: self._table(d, texts, back) for d in self._dictionaries}

    def _table(
        self, dictionary: Dictionary, texts: Sequence[str], back: np.ndarray
    ) -> FeatureTable:
        name = dictionary.name
        rows = pd.DataFrame(
            {
                "text": list(texts),
                "tokens": np.array(self._counts)[back],
                "residual_norm": np.array(self._norms[name])[back],
            }
        )
        convention = {
            **dictionary.convention.to_dict(),
            "pooling": str(self._pooling),
            "bos_pooled": False,
            "long": self._long,
            "site": dictionary.site.name,
            "fit_check": self._fit_check.get(name, "not made"),
            "dictionary": dictionary.digest,
            "model": self._model.digest,
        }
        matrix = csr_matrix(vstack(self._pooled[name], format="csr")[back])
        return FeatureTable(name, matrix, rows, convention, dictionary.site.layer)


def _means(seen: TokenActivations) -> list[float]:
    """Mean norm of each text's tokens."""
    sums = np.add.reduceat(seen.norms.astype(np.float64), seen.offsets[:-1])
    return list(sums / np.diff(seen.offsets))
