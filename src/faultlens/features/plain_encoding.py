"""Plain encoding: a site's values to a CSR matrix by PyTorch alone, a tile of tokens at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from weakref import WeakKeyDictionary

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from faultlens.errors import UserError
from faultlens.models.dictionary import Dictionary, JumpRelu, Relu, TopK

TILE = 512  # tokens whose dense activations are held at once, at most
CELLS = 512 * 24_576  # activations held at once: 50 MB
LARGEST = 1e38  # a third of float32's: sums below it cannot overflow

Fired = tuple[np.ndarray, np.ndarray, np.ndarray]  # firings of each token, columns, values


@torch.no_grad()
def encode_plain(dictionary: Dictionary, x: Tensor) -> csr_matrix:
    """Activations `[tokens, d_sae]` of the site's values `x [tokens, d_in]`, where `x` lies.

    Raises UserError for an activation that is infinite or NaN.
    """
    counts, columns, values = [np.zeros(1, dtype=np.int64)], [], []
    for fired, places, heights in _tiles(dictionary, x):
        counts.append(fired)
        columns.append(places)
        values.append(heights)
    if not values:
        return csr_matrix(np.empty((0, dictionary.d_sae), dtype=np.float32))
    return csr_matrix(
        (np.concatenate(values), np.concatenate(columns), np.cumsum(np.concatenate(counts))),
        shape=(len(x), dictionary.d_sae),
    )


def cannot_overflow(dictionary: Dictionary, prepared: Tensor) -> bool:
    """Whether no pre-activation of these prepared values `[tokens, d_in]` can pass float32.

    By `|x · w + b| ≤ max|x| · sqrt(d_in) · ‖w‖ + |b|`: nothing dense is looked at.
    """
    if dictionary not in _BOUNDS:
        norm = float(dictionary.W_enc.norm(dim=0).max())
        _BOUNDS[dictionary] = norm, float(dictionary.b_enc.abs().max())
    norm, bias = _BOUNDS[dictionary]
    largest = float(prepared.abs().max()) * math.sqrt(prepared.shape[1])
    return largest * norm + bias < LARGEST  # false where any of them is NaN


_BOUNDS: WeakKeyDictionary[Dictionary, tuple[float, float]] = WeakKeyDictionary()


def _tiles(dictionary: Dictionary, x: Tensor) -> Iterator[Fired]:
    """The firings of a tile of tokens at a time; one dense tile is held, and written over."""
    size = max(1, min(TILE, CELLS // dictionary.d_sae))
    tile = x.new_empty((min(size, len(x)), dictionary.d_sae), dtype=torch.float32)
    for start in range(0, len(x), size):
        part = x[start : start + size]
        if dictionary.encoder is not None:
            yield _positive(_checked(dictionary, dictionary.encode(part)))
            continue
        out, prepared = tile[: len(part)], dictionary.prepare(part)
        torch.addmm(dictionary.b_enc, prepared, dictionary.W_enc, out=out)
        if not cannot_overflow(dictionary, prepared):
            _checked(dictionary, out)
        yield _firings(dictionary, out)


def _checked(dictionary: Dictionary, dense: Tensor) -> Tensor:
    """`dense` as it is. Raises UserError unless all of it is finite."""
    if torch.isfinite(dense).all():
        return dense
    raise UserError(
        f"dictionary {dictionary.name} gives activations that are infinite or NaN at "
        f"{dictionary.site.name}: its weights are damaged, or were trained on another model"
    )


def _firings(dictionary: Dictionary, pre: Tensor) -> Fired:
    """What fires of a tile of pre-activations, which may be written over."""
    activation = dictionary.activation
    if isinstance(activation, Relu):
        return _positive(pre)
    if isinstance(activation, JumpRelu):
        return _positive(pre, activation.threshold)
    if isinstance(activation, TopK):
        return _largest(pre, activation.k)
    return _positive(_checked(dictionary, activation(pre)))


def _positive(dense: Tensor, threshold: Tensor | None = None) -> Fired:
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


def _largest(pre: Tensor, k: int) -> Fired:
    """The k largest of each token that are above 0, by column."""
    values, columns = pre.topk(k, dim=-1, sorted=False)
    order = columns.argsort(dim=-1)
    values, columns = values.gather(-1, order), columns.gather(-1, order)
    fires = values > 0
    counts = fires.sum(-1).cpu().numpy()
    return counts, columns[fires].cpu().numpy().astype(np.int32), values[fires].cpu().numpy()
