"""Pooling: how the activations of a text's tokens become one number for each feature."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_matrix

from faultlens.errors import UserError

Kind = Literal["max", "mean", "sum", "last"]


@dataclass(frozen=True)
class Pooling:
    """`max`, `mean` or `sum` over a text's tokens, or the mean of its last `k` tokens.

    A text shorter than `k` tokens is averaged over the tokens it has.
    """

    kind: Kind
    k: int = 1  # of `last`

    @classmethod
    def parse(cls, text: str) -> Pooling:
        """`max`, `mean`, `sum`, `last` or `last-K`. Raises UserError for anything else."""
        kinds: tuple[Kind, ...] = ("max", "mean", "sum", "last")
        for kind in kinds:
            if text == kind:
                return cls(kind)
        number = re.fullmatch(r"last-([1-9][0-9]{0,8})", text)
        if number is not None:
            return cls("last", int(number[1]))
        raise UserError(
            f"unknown pooling {text!r}: expected max, mean, sum, last or last-K (e.g. last-3)"
        )

    def __str__(self) -> str:
        return f"last-{self.k}" if self.kind == "last" and self.k > 1 else self.kind


def pool(tokens: csr_matrix, offsets: np.ndarray, pooling: Pooling) -> csr_matrix:
    """Pool token activations to texts.

    Args:
        tokens: activations, CSR `[tokens, d_sae]`, non-negative.
        offsets: `[texts + 1]`; rows `offsets[i]:offsets[i + 1]` are the tokens of text i, at least
            one each.
        pooling: how.

    Returns:
        float32 CSR `[texts, d_sae]`, column indices sorted.
    """
    lengths = np.diff(offsets)
    if (lengths < 1).any():
        raise ValueError("every text needs at least one token")
    if pooling.kind == "max":
        return _maximum(tokens, lengths)
    kept = np.minimum(lengths, pooling.k) if pooling.kind == "last" else lengths
    position = np.arange(tokens.shape[0]) - np.repeat(offsets[:-1], lengths)
    used = position >= np.repeat(lengths - kept, lengths)
    weight = np.ones(len(lengths)) if pooling.kind == "sum" else 1.0 / kept
    gather = csr_matrix(
        (np.repeat(weight, lengths) * used, np.arange(tokens.shape[0]), offsets),
        shape=(len(lengths), tokens.shape[0]),
    )
    pooled = csr_matrix((gather @ tokens).astype(np.float32))
    pooled.eliminate_zeros()
    pooled.sort_indices()
    return pooled


def _maximum(tokens: csr_matrix, lengths: np.ndarray) -> csr_matrix:
    n_texts, d_sae = len(lengths), tokens.shape[1]
    text_of_token = np.repeat(np.arange(n_texts), lengths)
    text = np.repeat(text_of_token, np.diff(tokens.indptr))
    key = text.astype(np.int64) * d_sae + tokens.indices
    order = np.argsort(key, kind="stable")
    distinct, first = np.unique(key[order], return_index=True)
    values = np.maximum.reduceat(tokens.data[order], first) if len(first) else tokens.data[:0]
    indptr = np.searchsorted(distinct, np.arange(n_texts + 1, dtype=np.int64) * d_sae)
    return csr_matrix((values, distinct % d_sae, indptr), shape=(n_texts, d_sae))
