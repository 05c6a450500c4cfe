"""Sparse encode: a site's values to a CSR matrix of activations, a tile of tokens at a time."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from faultlens.models.dictionary import Dictionary

TILE = 512  # tokens whose dense activations are held at once: 50 MB at 24,576 features


@torch.no_grad()
def encode(dictionary: Dictionary, x: Tensor) -> csr_matrix:
    """Activations of every token by itself.

    Args:
        dictionary: the SAE to read through.
        x: the site's values, `[tokens, d_in]`.

    Returns:
        float32 CSR `[tokens, d_sae]`, column indices sorted, no explicit zeros.
    """
    counts, columns, values = [np.zeros(1, dtype=np.int64)], [], []
    for start in range(0, len(x), TILE):
        dense = dictionary.encode(x[start : start + TILE]).cpu().numpy()
        rows, tile_columns = np.nonzero(dense)
        counts.append(np.bincount(rows, minlength=len(dense)))
        columns.append(tile_columns.astype(np.int32))
        values.append(dense[rows, tile_columns])
    if not values:
        return csr_matrix(np.empty((0, dictionary.d_sae), dtype=np.float32))
    return csr_matrix(
        (np.concatenate(values), np.concatenate(columns), np.cumsum(np.concatenate(counts))),
        shape=(len(x), dictionary.d_sae),
    )
