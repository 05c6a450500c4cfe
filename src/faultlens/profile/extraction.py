"""Extraction: a corpus read once, with BOS and padding, and pooled in every way there is.

Each text is padded to the longest of the corpus, as a script does that puts all texts into one
batch; every position is encoded, so that the ways of pooling differ in what they take of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix, vstack
from torch import Tensor

from faultlens.errors import UserError
from faultlens.features.encode import encode
from faultlens.features.lens import Lens
from faultlens.features.pooling import Pooling, pool
from faultlens.features.reading import TOKEN_BUDGET, Long, chunks
from faultlens.profile.specifications import ENCODE_FIRST, Way
from faultlens.progress import Tick


@dataclass(frozen=True, eq=False)
class Pooled:
    """One dictionary over the corpus, read in one way.

    Attributes:
        matrix: pooled activations, CSR `[texts, d_sae]`.
        norms: mean norm of the site's value over the positions pooled, `[texts]`.
    """

    matrix: csr_matrix
    norms: np.ndarray


@dataclass(frozen=True, eq=False)
class _Rows:
    """The positions of a batch that one mask takes: text after text, each without a gap."""

    index: np.ndarray  # into the batch's positions, flat
    offsets: np.ndarray  # [texts + 1]


def read_ways(
    lens: Lens, texts: Sequence[str], ways: Sequence[Way], long: Long, tick: Tick
) -> dict[Way, dict[str, Pooled]]:
    """Read `texts` once and pool them in each of `ways`; by way and dictionary.

    Raises UserError for a text that does not fit into the context, unless `long` is `truncate`.
    """
    check_long(long)
    bos = int(lens.dictionaries[0].convention.prepend_bos)
    room = lens.model.context - bos
    ids = [chunks(lens.model.ids(text), i, room, long)[0] for i, text in enumerate(texts)]
    width = max(map(len, ids)) + bos
    step = max(1, TOKEN_BUDGET // width)
    collected: dict[Way, dict[str, list[Pooled]]] = {
        way: {dictionary.name: [] for dictionary in lens.dictionaries} for way in ways
    }
    for start in range(0, len(ids), step):
        batch = ids[start : start + step]
        lengths = np.array([len(row) for row in batch])
        padded = [
            [lens.model.bos_id] * bos + row + [lens.model.bos_id] * (width - bos - len(row))
            for row in batch
        ]
        values = lens.model.read(lens.model.pad(padded), [d.site for d in lens.dictionaries])
        for dictionary in lens.dictionaries:
            x = values[dictionary.site].reshape(len(batch) * width, -1).float()
            tokens = encode(dictionary, x)
            norms = x.norm(dim=-1).cpu().numpy().astype(np.float64)
            for way in ways:
                rows = _rows(way, lengths, width, bos)
                how = Pooling.parse(way.pooling)
                if way.order == ENCODE_FIRST:
                    matrix = pool(csr_matrix(tokens[rows.index]), rows.offsets, how)
                else:
                    matrix = encode(dictionary, _pool_values(x[rows.index], rows.offsets, how))
                sums = np.add.reduceat(norms[rows.index], rows.offsets[:-1])
                collected[way][dictionary.name].append(Pooled(matrix, sums / np.diff(rows.offsets)))
        tick(len(batch))
    return {
        way: {name: _joined(parts) for name, parts in by_name.items()}
        for way, by_name in collected.items()
    }


def check_long(long: Long) -> None:
    """Raises UserError for `split`: pieces of a text cannot be padded as the text is."""
    if long == "split":
        raise UserError(
            "the method study pads every text to the longest: expected --long error or truncate, "
            "got split"
        )


def _rows(way: Way, lengths: np.ndarray, width: int, bos: int) -> _Rows:
    first = 0 if way.bos else bos
    last = np.full(len(lengths), width) if way.padding else lengths + bos
    index = np.concatenate(
        [np.arange(row * width + first, row * width + end) for row, end in enumerate(last)]
    )
    return _Rows(index, np.concatenate([[0], np.cumsum(last - first)]))


def _pool_values(x: Tensor, offsets: np.ndarray, how: Pooling) -> Tensor:
    """Pool the site's own values `[positions, d_in]` to `[texts, d_in]`, before encoding."""
    return torch.stack(list(_pooled_values(x, offsets, how)))


def _pooled_values(x: Tensor, offsets: np.ndarray, how: Pooling) -> Iterator[Tensor]:
    for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        if how.kind == "max":
            yield x[start:end].amax(dim=0)
        elif how.kind == "sum":
            yield x[start:end].sum(dim=0)
        else:
            yield x[max(start, end - how.k) if how.kind == "last" else start : end].mean(dim=0)


def _joined(parts: list[Pooled]) -> Pooled:
    return Pooled(
        csr_matrix(vstack([part.matrix for part in parts], format="csr")),
        np.concatenate([part.norms for part in parts]),
    )
