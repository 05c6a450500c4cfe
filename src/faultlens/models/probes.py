"""Probes: what a model is able to do, tried out on short texts and never taken for granted.

Whether texts can share a row depends on a family's mask, on the implementation of attention and on
the release of transformers; whether a pass can be taken up half-way, on what later blocks need of
earlier ones. Where it goes wrong nothing says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from faultlens.models.restart import Restart
from faultlens.models.sites import Site

PART = 7  # tokens of each text
LEAK = 1e-3
"""Of the largest value: exact families stay below 2e-7, mixtures of experts below 1e-6, leaks above
2e-2."""
EQUAL = 1e-4  # likewise, of a text read in a row of its own, in another shape
HALF = 5e-2  # likewise, in half precision


class Readable(Protocol):
    """What a probe asks of a model."""

    @property
    def n_layers(self) -> int: ...

    @property
    def vocabulary(self) -> int: ...

    @property
    def context(self) -> int: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype: ...

    def read(
        self, ids: Tensor, sites: Sequence[Site], positions: Tensor | None = None
    ) -> Mapping[Site, Tensor]: ...

    def pass_from(self, ids: Tensor, restart: Restart | None, skip: bool) -> Tensor: ...


def packs(model: Readable) -> bool:
    """Whether texts that share a row are read as if each were alone.

    Two rows, [A, B] and [C, B], with positions that start again at B: in the residual stream before
    and after every block B must hold the same in both, and the same as in a row of its own. What
    leaks anywhere within a block is in the stream behind it.
    """
    if model.context < 2 * PART:
        return False
    a, b, c = (_ids(model, step) for step in (3, 7, 11))
    rows = torch.stack([torch.cat([a, b]), torch.cat([c, b])])
    positions = torch.arange(PART, device=rows.device).repeat(2, 2)
    sites = [Site(layer, "resid_pre") for layer in range(model.n_layers)]
    sites.append(Site(model.n_layers - 1, "resid_post"))
    packed = model.read(rows, sites, positions)
    alone = model.read(torch.stack([b, b]), sites)
    apart = EQUAL if model.dtype == torch.float32 else HALF
    return all(
        differ(packed[site][0, PART:], packed[site][1, PART:]) <= LEAK
        and differ(packed[site][0, PART:], alone[site][0]) <= apart
        for site in sites
    )


def skips(model: Readable) -> bool:
    """Whether a pass can leave out the blocks before the one at which it is taken up.

    Tried at the middle block and at the last, against the whole pass over the same ids.
    """
    ids = probe_ids(model)
    whole = model.pass_from(ids, None, skip=True)
    apart = EQUAL if model.dtype == torch.float32 else HALF
    for layer in sorted({model.n_layers // 2, model.n_layers - 1} - {0}):
        entry = Site(layer, "resid_pre")
        restart = Restart(layer, model.read(ids, [entry])[entry])
        try:
            found = model.pass_from(ids, restart, skip=True)
        except Exception:  # whatever a later block raises for what it misses
            return False
        if differ(found, whole) > apart:
            return False
    return True


def widest_row(config: Any, context: int) -> int:
    """The longest row that texts may share where they can share one at all.

    Attention in chunks (Llama 4) parts a row by its columns, not by positions: no wider than one.
    """
    chunk = getattr(config, "attention_chunk_size", None)
    return min(context, chunk) if isinstance(chunk, int) and chunk > 0 else context


def probe_ids(model: Readable) -> Tensor:
    """Two short texts, `[2, PART]`."""
    return torch.stack([_ids(model, 3), _ids(model, 7)])


def _ids(model: Readable, step: int) -> Tensor:
    """Some token ids, another text for each step; ids below 32 are words in most vocabularies."""
    ids = torch.tensor([1 + i * step % 31 for i in range(1, PART + 1)], device=model.device)
    return ids.clamp(max=model.vocabulary - 1)


def differ(one: Tensor, other: Tensor) -> float:
    """By how much, as a share of the largest value."""
    return float((one - other).abs().max() / other.abs().max().clamp(min=1e-30))
