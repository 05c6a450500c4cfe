"""Prefix cache: what comes before an edit is computed once, and only the rest is run again.

An edit at a layer and a column changes nothing in earlier blocks and columns. Cached are the
residual that enters the layer, and the keys and values of the earlier columns. A pass under an edit
then runs the later blocks on the later columns only; several copies of the batch, each under an
edit of its own, share the cache.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from faultlens.models.hooks import SiteHook
from faultlens.models.model import Model
from faultlens.models.restart import Restart
from faultlens.models.sites import Site


@dataclass(frozen=True, eq=False)
class CachedPass:
    """One clean pass over prompts: values at sites, and every layer's keys and values.

    Attributes:
        ids: right-padded token ids, `[batch, positions]`.
        values: at the sites asked for, float32 `[batch, positions, d]` each.
        hidden: what the unembedding reads, in the model's precision, `[batch, positions, d]`.
        cache: transformers' key-value cache of the whole pass; never handed to another pass.
    """

    model: Model
    ids: Tensor
    values: Mapping[Site, Tensor]
    hidden: Tensor
    cache: Any

    @classmethod
    @torch.no_grad()
    def of(cls, model: Model, rows: Sequence[Sequence[int]], sites: Sequence[Site]) -> CachedPass:
        """Run `rows` (token ids, BOS included) once."""
        from transformers import DynamicCache

        ids = model.pad(rows)
        cache = DynamicCache()  # of full layers: a window's would drop columns that a cut needs
        edits, values = model.keeping(sites)
        with model.edited(edits):
            found = model.network.base_model(input_ids=ids, past_key_values=cache, use_cache=True)
        model.require_finite(found.last_hidden_state, "its last hidden state")
        return cls(model, ids, values, found.last_hidden_state, cache)

    def some(self, rows: Tensor, columns: int) -> CachedPass:
        """The same pass of some of its rows, `[rows]`, and only their first columns."""
        layers = []
        for kept in self.cache.layers:
            cut = copy.copy(kept)
            cut.keys, cut.values = kept.keys[rows, :, :columns], kept.values[rows, :, :columns]
            layers.append(cut)
        cache = copy.copy(self.cache)
        cache.layers = layers
        values = {site: value[rows, :columns] for site, value in self.values.items()}
        return CachedPass(
            self.model, self.ids[rows, :columns], values, self.hidden[rows, :columns], cache
        )

    def resumed(self, layer: int, start: int, copies: int = 1) -> ResumedPass:
        """The pass from block `layer` and column `start` on, for `copies` copies of the batch.

        `blocks.{layer}.hook_resid_pre` must be among the values.
        """
        residual = self.values[Site(layer, "resid_pre")][:, start:]
        return ResumedPass(
            self.model,
            self.ids[:, start:].repeat(copies, 1),
            Restart(layer, residual.repeat(copies, 1, 1)),
            start,
            # Blocks before `layer` are not run: of their columns only the number is asked for.
            [
                _columns(kept, start, copies if index >= layer else 1)
                for index, kept in enumerate(self.cache.layers)
            ]
            if start
            else [],
        )


@dataclass(frozen=True, eq=False)
class ResumedPass:
    """The rest of a pass: see `CachedPass.resumed`.

    Attributes:
        ids: `[copies · batch, positions − start]`; copy by copy.
        restart: the residual that enters the layer, of the same rows and columns.
        start: the first column that is run.
        layers: the cache's layers, cut before `start`; empty where `start` is 0.
    """

    model: Model
    ids: Tensor
    restart: Restart
    start: int
    layers: Sequence[Any]

    def hidden(self, at: Tensor, edits: Mapping[Site, SiteHook] | None = None) -> Tensor:
        """What the unembedding reads after column `at` of each row, `[rows, d]`.

        `at` counts columns of the whole prompt; edits see the columns from `start` on.
        """
        from transformers import DynamicCache

        cache = DynamicCache()
        if self.layers:
            cache.layers = [copy.copy(kept) for kept in self.layers]
        return self.model.hidden(
            self.ids, at=at - self.start, edits=edits, restart=self.restart, cache=cache
        )

    def logits(self, at: Tensor, edits: Mapping[Site, SiteHook] | None = None) -> Tensor:
        """Next-token logits there, float32 `[rows, vocabulary]`."""
        return self.model.unembed(self.hidden(at, edits))


def _columns(kept: Any, start: int, copies: int) -> Any:
    """One layer of the cache, its columns before `start`, for several copies of the batch."""
    cut = copy.copy(kept)
    cut.keys, cut.values = kept.keys[:, :, :start], kept.values[:, :, :start]
    if copies > 1:
        cut.keys = cut.keys.repeat(copies, 1, 1, 1)
        cut.values = cut.values.repeat(copies, 1, 1, 1)
    return cut
