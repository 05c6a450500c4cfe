"""The model's loss with a site's value replaced: what a reconstruction costs, and an ablation.

Loss is the mean cross-entropy of the next token, in nats. The value is replaced everywhere but at
position 0, an attention sink that no dictionary is asked to rebuild. Each pass takes up the model
at the site's block, from residuals that were read once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Edit, Model, Restart
from faultlens.models.sites import Site

ROWS = 16  # texts in a batch


def batches(
    model: Model, rows: Sequence[Sequence[int]], bos: bool = True
) -> Iterator[tuple[Tensor, Tensor]]:
    """Right-padded ids, and which positions after the first hold a real token; like lengths."""
    order = np.argsort([len(row) for row in rows], kind="stable")
    for start in range(0, len(order), ROWS):
        batch = [[model.bos_id, *rows[i]] if bos else list(rows[i]) for i in order[start:][:ROWS]]
        ids = model.pad(batch)
        lengths = torch.tensor([len(row) for row in batch], device=ids.device)
        position = torch.arange(ids.shape[1], device=ids.device)
        yield ids, (position > 0) & (position < lengths[:, None])


@torch.no_grad()
def mean_loss(
    model: Model, rows: Sequence[Sequence[int]], site: Site | None = None, edit: Edit | None = None
) -> float:
    """Mean next-token cross-entropy in nats over all tokens of `rows`, each predicted from BOS on.

    With `site` and `edit`, the value there is replaced at every position but BOS.
    """
    edits = {} if site is None or edit is None else {site: _after_first(edit)}
    total = [_summed(model, ids, real, edits) for ids, real in batches(model, rows)]
    return sum(loss for loss, _ in total) / sum(count for _, count in total)


@dataclass(frozen=True, eq=False)
class LossAssay:
    """Some rows, and what enters each of some blocks on them.

    Attributes:
        parts: by batch, ids, the positions that count, and the residual entering each block.
        loss: of the model as it is, in nats.
        tokens: how many tokens are predicted.
    """

    model: Model
    parts: list[tuple[Tensor, Tensor, dict[int, Tensor]]]
    loss: float
    tokens: int

    @classmethod
    @torch.no_grad()
    def of(
        cls, model: Model, rows: Sequence[Sequence[int]], layers: Sequence[int], bos: bool = True
    ) -> LossAssay:
        """Read the rows once, and measure the model as it is."""
        parts, loss, count = [], 0.0, 0
        for ids, real in batches(model, rows, bos):
            entries: dict[int, Tensor] = {}

            def keep(layer: int, into: dict[int, Tensor]) -> Edit:
                def edit(value: Tensor) -> Tensor:
                    into[layer] = value.detach().clone()
                    return value

                return edit

            edits = {Site(layer, "resid_pre"): keep(layer, entries) for layer in set(layers)}
            summed, counted = _summed(model, ids, real, edits)
            loss, count = loss + summed, count + counted
            parts.append((ids, real, entries))
        return cls(model, parts, loss / count, count)

    @torch.no_grad()
    def replaced(self, layer: int, edits: Callable[[], dict[Site, Edit]]) -> float:
        """The loss with edits at sites of a block; `edits` makes them anew for each batch."""
        loss = 0.0
        for ids, real, entries in self.parts:
            entry = entries[layer].to(next(self.model.network.parameters()).dtype)
            protected = {site: _after_first(edit) for site, edit in edits().items()}
            loss += _summed(self.model, ids, real, protected, Restart(layer, entry))[0]
        return loss / self.tokens

    def reconstructed(self, dictionary: Dictionary) -> float:
        """The loss with the target site's value as the dictionary rebuilds it."""

        def edits() -> dict[Site, Edit]:
            if dictionary.site_out is None:
                return {dictionary.site: lambda x: _rebuilt(dictionary, x, None)}
            seen: list[Tensor] = []

            def look(x: Tensor) -> Tensor:
                seen.append(x)
                return x

            def rebuild(y: Tensor) -> Tensor:
                return torch.cat([y[:, :1], _rebuilt(dictionary, seen[0][:, 1:], y[:, 1:])], dim=1)

            return {dictionary.site: look, dictionary.site_out: rebuild}

        return self.replaced(dictionary.site.layer, edits)

    def ablated(self, site: Site, value: Tensor | None) -> float:
        """The loss with the site's value replaced by `value [d]`; None for zero."""
        if value is None:
            return self.replaced(site.layer, lambda: {site: torch.zeros_like})
        return self.replaced(site.layer, lambda: {site: lambda x: value.expand_as(x)})


def _rebuilt(dictionary: Dictionary, x: Tensor, target: Tensor | None) -> Tensor:
    flat = x.reshape(-1, x.shape[-1])
    there = None if target is None else target.reshape(-1, target.shape[-1])
    rebuilt = dictionary.reconstruct(flat, there)
    return rebuilt.reshape((x if target is None else target).shape)


def _after_first(edit: Edit) -> Edit:
    def protected(x: Tensor) -> Tensor:
        return torch.cat([x[:, :1], edit(x)[:, 1:]], dim=1)

    return protected


def _summed(
    model: Model,
    ids: Tensor,
    real: Tensor,
    edits: dict[Site, Edit],
    restart: Restart | None = None,
) -> tuple[float, int]:
    """Summed loss of the real tokens, and their number."""
    logits = model.logits(ids, edits=edits, restart=restart)[:, :-1][real[:, 1:]]
    loss = cross_entropy(logits, ids[:, 1:][real[:, 1:]], reduction="sum")
    return float(loss), int(real.sum())
