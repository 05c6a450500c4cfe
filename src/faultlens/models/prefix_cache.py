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
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from faultlens.models.hooks import SiteHook
from faultlens.models.model import Model
from faultlens.models.probes import EQUAL, HALF, differ, probe_ids
from faultlens.models.restart import Restart, restarted
from faultlens.models.sites import Site


@dataclass(frozen=True, eq=False)
class CachedPass:
    """One clean pass over prompts: values at sites, and every layer's keys and values.

    Attributes:
        ids: right-padded token ids, `[batch, positions]`.
        values: at the sites asked for, float32 `[batch, positions, d]` each.
        hidden: what the unembedding reads, in the model's precision, `[batch, positions, d]`.
        cache: transformers' key-value cache of the whole pass; never handed to another pass. None
            for a model that cannot take a pass up at a column, which then runs all of them.
    """

    model: Model
    ids: Tensor
    values: Mapping[Site, Tensor]
    hidden: Tensor
    cache: Any | None

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        model: Model,
        rows: Sequence[Sequence[int]],
        sites: Sequence[Site],
        restart: Restart | None = None,
    ) -> CachedPass:
        """Run `rows` (token ids, what stands in front included) once.

        Args:
            sites: whose values are kept.
            restart: where the pass is taken up, if what enters that block is known; at most the
                layer of the first site. It can be resumed from there on.
        """
        return cls._run(model, model.pad(rows), sites, resumes(model), restart)

    @classmethod
    def _run(
        cls,
        model: Model,
        ids: Tensor,
        sites: Sequence[Site],
        with_cache: bool,
        restart: Restart | None = None,
    ) -> CachedPass:
        from transformers import DynamicCache

        # Of full layers: a window's would drop columns that a cut needs.
        cache = DynamicCache() if with_cache else None
        kept = (
            {"use_cache": False} if cache is None else {"past_key_values": cache, "use_cache": True}
        )
        edits, values = model.keeping(sites)
        with (
            restarted(model.adapter, model.network, restart, model.skips),
            model.edited(edits),
        ):
            found = model.body(input_ids=ids, **kept)
        model.require_finite(found.last_hidden_state, "its last hidden state")
        if cache is not None and restart is not None and model.skips:
            # Of blocks that were not run only the number of columns is ever asked for.
            cache.layers[: restart.layer] = [cache.layers[restart.layer]] * restart.layer
        return cls(model, ids, values, found.last_hidden_state, cache)

    def some(self, rows: Tensor, columns: int) -> CachedPass:
        """The same pass of some of its rows, `[rows]`, and only their first columns."""
        cache = None
        if self.cache is not None:
            cache = copy.copy(self.cache)
            cache.layers = [_of_rows(kept, rows, columns) for kept in self.cache.layers]
        values = {site: value[rows, :columns] for site, value in self.values.items()}
        return CachedPass(
            self.model, self.ids[rows, :columns], values, self.hidden[rows, :columns], cache
        )

    def resumed(self, layer: int, start: int, copies: int = 1) -> ResumedPass:
        """The pass from block `layer` and column `start` on, for `copies` copies of the batch.

        `blocks.{layer}.hook_resid_pre` must be among the values.
        """
        residual = self.values[Site(layer, "resid_pre")]
        if self.cache is None:
            whole = Restart(layer, residual.repeat(copies, 1, 1))
            return ResumedPass(self.model, self.ids.repeat(copies, 1), whole, start, None)
        residual = residual[:, start:]
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
        layers: the cache's layers, cut before `start`; empty where `start` is 0; None where there
            is no cache, and ids and residual are of all columns.
    """

    model: Model
    ids: Tensor
    restart: Restart
    start: int
    layers: Sequence[Any] | None

    def hidden(self, at: Tensor, edits: Mapping[Site, SiteHook] | None = None) -> Tensor:
        """What the unembedding reads after column `at` of each row, `[rows, d]`.

        `at` counts columns of the whole prompt; edits see the columns from `start` on.
        """
        from transformers import DynamicCache

        if self.layers is None:
            behind = {site: _from(self.start, edit) for site, edit in (edits or {}).items()}
            return self.model.hidden(self.ids, at=at, edits=behind, restart=self.restart)
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


def _of_rows(kept: Any, rows: Tensor, columns: int) -> Any:
    """One layer of the cache, of some rows and their first columns."""
    cut = copy.copy(kept)
    cut.keys, cut.values = kept.keys[rows, :, :columns], kept.values[rows, :, :columns]
    return cut


def _from(start: int, edit: SiteHook) -> SiteHook:
    """An edit of the columns from `start` on, for a pass over all of them."""

    def edited(x: Tensor) -> Tensor:
        return x if start == 0 else torch.cat([x[:, :start], edit(x[:, start:])], dim=1)

    return edit if start == 0 else edited


def resumes(model: Model) -> bool:
    """Whether a pass can be taken up at a column, from the keys and values before; tried out once.

    Layers that keep a state in their place (linear attention, Mamba) cannot.
    """
    if model not in _RESUMES:
        _RESUMES[model] = _tried(model)
    return _RESUMES[model]


_RESUMES: WeakKeyDictionary[Model, bool] = WeakKeyDictionary()


@torch.no_grad()
def _tried(model: Model) -> bool:
    """At the middle block and the last, against the whole pass over the same ids."""
    ids = probe_ids(model)
    at = torch.full((len(ids),), ids.shape[1] - 1, device=ids.device)
    whole = model.hidden(ids, at=at)
    layers = sorted({model.n_layers // 2, model.n_layers - 1})
    try:
        entries = [Site(layer, "resid_pre") for layer in layers]
        cached = CachedPass._run(model, ids, entries, with_cache=True)
        found = [cached.resumed(layer, ids.shape[1] // 2).hidden(at) for layer in layers]
    except Exception:  # whatever a family raises for a cache that it does not know
        return False
    apart = EQUAL if model.dtype == torch.float32 else HALF
    return all(differ(one, whole) <= apart for one in found)
