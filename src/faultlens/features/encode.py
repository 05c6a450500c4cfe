"""Sparse encode: a site's values to a CSR matrix of activations, a tile of tokens at a time.

Two ways to the same numbers: PyTorch alone, everywhere (`in_tiles`), and on a processor a screening
in low precision that only leaves out what cannot fire (`screening`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from faultlens.features import screening
from faultlens.models.dictionary import Dictionary, JumpRelu, Relu, TopK

Encoding = Literal["auto", "plain", "compiled"]
"""`plain`: PyTorch alone. `compiled`: screened by compiled code (the extra `fast`). `auto`: what is
quicker here."""

TILE = 512  # tokens whose dense activations are held at once, at most
CELLS = 512 * 24_576  # activations held at once: 50 MB
TRIED = 128  # tokens that a trial of the two ways needs


def encode(dictionary: Dictionary, x: Tensor, encoding: Encoding = "auto") -> csr_matrix:
    """Activations of every token by itself.

    Args:
        dictionary: the SAE to read through.
        x: the site's values, `[tokens, d_in]`.
        encoding: which way. The firing sets are the same but for pre-activations that rounding
            alone puts on either side of the threshold, the values to 1e-5 of |x|·|w| + |b|.

    Returns:
        float32 CSR `[tokens, d_sae]`, column indices sorted, no explicit zeros.

    Raises:
        UserError: `compiled` where the extra is missing.
    """
    if encoding == "plain" or not len(x):
        return in_tiles(dictionary, x)
    if encoding == "compiled":
        screening.check_installed()
        return (screening.screened if screening.screens(dictionary) else in_tiles)(dictionary, x)
    return _by_experience(dictionary, x)


PATIENCE = 3e11  # floating-point operations of plain encoding before anything is tried: a second
_spent: dict[tuple[object, ...], float] = {}
_quicker: dict[tuple[object, ...], bool] = {}


def _by_experience(dictionary: Dictionary, x: Tensor) -> csr_matrix:
    """Plain at first; once a good deal was read of dictionaries of this kind, what is quicker.

    Loading compiled code takes half a second, compiling it some seconds: not for a few texts.
    """
    kind = (type(dictionary.activation), *dictionary.W_enc.shape, torch.get_num_threads())
    _spent[kind] = _spent.get(kind, 0.0) + 2.0 * len(x) * dictionary.W_enc.numel()
    if kind not in _quicker and _spent[kind] > PATIENCE and len(x) >= TRIED:
        able = screening.installed() and screening.screens(dictionary)
        _quicker[kind] = able and screening.is_quicker(dictionary, x)
    if _quicker.get(kind) and screening.screens(dictionary):
        return screening.screened(dictionary, x)
    return in_tiles(dictionary, x)


@torch.no_grad()
def in_tiles(dictionary: Dictionary, x: Tensor) -> csr_matrix:
    """`encode` by PyTorch alone, on the device where `x` lies."""
    counts, columns, values = [np.zeros(1, dtype=np.int64)], [], []
    for fired, places, found in _tiles(dictionary, x):
        counts.append(fired)
        columns.append(places)
        values.append(found)
    if not values:
        return csr_matrix(np.empty((0, dictionary.d_sae), dtype=np.float32))
    return csr_matrix(
        (np.concatenate(values), np.concatenate(columns), np.cumsum(np.concatenate(counts))),
        shape=(len(x), dictionary.d_sae),
    )


Found = tuple[np.ndarray, np.ndarray, np.ndarray]  # firings of each token, columns, values


def _tiles(dictionary: Dictionary, x: Tensor) -> Iterator[Found]:
    """The firings of a tile of tokens at a time; one dense tile is held, and written over."""
    size = max(1, min(TILE, CELLS // dictionary.d_sae))
    tile = x.new_empty((min(size, len(x)), dictionary.d_sae), dtype=torch.float32)
    for start in range(0, len(x), size):
        part = x[start : start + size]
        if dictionary.encoder is not None:
            yield _positive(dictionary.encode(part))
            continue
        out = tile[: len(part)]
        torch.addmm(dictionary.b_enc, dictionary.prepare(part), dictionary.W_enc, out=out)
        yield _firings(dictionary, out)


def _firings(dictionary: Dictionary, pre: Tensor) -> Found:
    """What fires of a tile of pre-activations, which may be written over."""
    activation = dictionary.activation
    if isinstance(activation, Relu):
        return _positive(pre)
    if isinstance(activation, JumpRelu):
        return _positive(pre, activation.threshold)
    if isinstance(activation, TopK):
        return _largest(pre, activation.k)
    return _positive(activation(pre))


def _positive(dense: Tensor, threshold: Tensor | None = None) -> Found:
    """Where a tile is above 0, and above the features' thresholds."""
    fires = dense > 0 if threshold is None else dense > threshold.clamp(min=0)
    if dense.device.type == "cpu":  # NumPy's search of a mask is several times as quick here
        flat = np.flatnonzero(fires.numpy())
        rows, columns = np.divmod(flat, dense.shape[1])
        values = dense.numpy().ravel()[flat]
    else:
        places = fires.nonzero()
        rows, columns = places[:, 0].cpu().numpy(), places[:, 1].cpu().numpy()
        values = dense[fires].cpu().numpy()
    return np.bincount(rows, minlength=len(dense)), columns.astype(np.int32), values


def _largest(pre: Tensor, k: int) -> Found:
    """The k largest of each token that are above 0, by column."""
    values, columns = pre.topk(k, dim=-1, sorted=False)
    order = columns.argsort(dim=-1)
    values, columns = values.gather(-1, order), columns.gather(-1, order)
    fires = values > 0
    counts = fires.sum(-1).cpu().numpy()
    return counts, columns[fires].cpu().numpy().astype(np.int32), values[fires].cpu().numpy()
