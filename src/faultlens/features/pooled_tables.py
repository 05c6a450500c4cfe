"""Pooled tables: one feature table a dictionary, collected from texts as they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, vstack

from faultlens.errors import UserError
from faultlens.features.pooling import Pooling, pool
from faultlens.features.reading import ReadTexts
from faultlens.features.reading_config import LONG, MASSIVE, Long
from faultlens.features.reading_notes import OWN_BOS
from faultlens.features.table import FeatureTable
from faultlens.features.token_activations import TokenActivations
from faultlens.features.token_choice import (
    DEFAULT,
    LeftOut,
    TokenChoice,
    counted,
)
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model


class PooledTables:
    """Takes in every text's tokens once, in any order, and gives the tables.

    Args:
        model: that was read.
        dictionaries: it was read through.
        pooling: how a text's token activations become one number.
        long: what became of texts longer than the context; noted in the tables.
        fit_check: by dictionary, what came of the fit check; noted in the tables.
        choice: which tokens counted; noted in the tables.
    """

    def __init__(
        self,
        model: Model,
        dictionaries: Sequence[Dictionary],
        pooling: Pooling,
        long: Long = LONG,
        fit_check: Mapping[str, str] | None = None,
        choice: TokenChoice = DEFAULT,
    ) -> None:
        self._model, self._dictionaries = model, dictionaries
        self._pooling, self._long, self._fit_check = pooling, long, fit_check or {}
        self._choice = choice
        self._columns = {d.name: _Columns() for d in dictionaries}
        self._order: list[int] = []
        self._own_bos = 0

    def add(self, read: ReadTexts) -> None:
        """Pool some texts. Raises UserError for one of which no token counts."""
        self._order.extend(read.texts)
        self._own_bos += read.own_bos
        for dictionary in self._dictionaries:
            seen = read.activations[dictionary.name]
            empty = np.flatnonzero(np.diff(seen.offsets) == 0)
            if len(empty):
                raise UserError(_nothing_counts(read, int(empty[0]), seen, dictionary))
            self._columns[dictionary.name].add(seen, self._pooling)

    def result(self, texts: Sequence[str]) -> dict[str, FeatureTable]:
        """By dictionary the table of all texts, in their order."""
        back = np.argsort(self._order)
        return {d.name: self._table(d, texts, back) for d in self._dictionaries}

    def _table(
        self, dictionary: Dictionary, texts: Sequence[str], back: np.ndarray
    ) -> FeatureTable:
        name = dictionary.name
        columns = self._columns[name]
        from pandas import DataFrame  # looking at a text needs none, and it takes half a second

        rows = DataFrame({"text": list(texts)} | columns.rows(back))
        convention = {
            **dictionary.convention.to_dict(),
            "pooling": str(self._pooling),
            "bos_pooled": False,
            **self._choices(columns),
            "long": self._long,
            "site": dictionary.site.name,
            "fit_check": self._fit_check.get(name, "not made"),
            "dictionary": dictionary.digest,
            "model": self._model.digest,
        }
        matrix = csr_matrix(vstack(columns.pooled, format="csr")[back])
        return FeatureTable(name, matrix, rows, convention, dictionary.site.layer)

    def _choices(self, columns: _Columns) -> dict[str, Any]:
        """What was made of special tokens and massive activations, and how many there were."""
        special = {"drop": "left out", "keep": "pooled"}[self._choice.special]
        if self._model.split_special_tokens:
            special = "read as plain text"
        massive = f"left out beyond {MASSIVE:g} times the median norm"
        found: dict[str, Any] = {
            "special_tokens": special,
            "massive_activations": massive if self._choice.massive == "drop" else "pooled",
        }
        if self._own_bos:
            found[OWN_BOS] = self._own_bos
        left_out = counted(self._model, columns.left_out)
        return found | {f"{reason}_left_out": tokens for reason, tokens in left_out.items()}


class _Columns:
    """One dictionary's table, column by column, as texts come in."""

    def __init__(self) -> None:
        self.pooled: list[csr_matrix] = []
        self._numbers: dict[str, list[np.ndarray]] = {}
        self.left_out: list[LeftOut] = []

    def add(self, seen: TokenActivations, pooling: Pooling) -> None:
        self.pooled.append(pool(seen.matrix, seen.offsets, pooling))
        tokens = np.diff(seen.offsets)
        sums = np.add.reduceat(seen.norms.astype(np.float64), seen.offsets[:-1])
        special, massive = seen.left_out.counts(len(tokens))
        for name, numbers in (
            ("tokens", tokens),
            ("special_tokens", special),
            ("massive_activations", massive),
            ("residual_norm", sums / tokens),
        ):
            self._numbers.setdefault(name, []).append(numbers)
        self.left_out.append(seen.left_out)

    def rows(self, back: np.ndarray) -> dict[str, np.ndarray]:
        """The columns, in the order of the texts; of tokens left out only where there are any."""
        columns = {name: np.concatenate(parts)[back] for name, parts in self._numbers.items()}
        return {
            name: column
            for name, column in columns.items()
            if name in ("tokens", "residual_norm") or column.any()
        }


def _nothing_counts(
    read: ReadTexts, place: int, seen: TokenActivations, dictionary: Dictionary
) -> str:
    number = read.texts[place] + 1
    if not (seen.left_out.text[seen.left_out.massive] == place).any():
        return f"text {number} holds special tokens alone: expected text; leave it out"
    return (
        f"text {number} has no token to pool at {dictionary.site.name}: each has more than "
        f"{MASSIVE:g} times the median norm there, or is special; leave the text out, or keep "
        "massive activations"
    )
