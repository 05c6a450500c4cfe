"""Model: a Hugging Face causal language model that can be read, edited, cut short and restarted.

Everything is done with hooks placed inside one context manager and always removed. A hook that was
placed and never ran is an error: otherwise an edit that did nothing would pass for a measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from faultlens.models import probes
from faultlens.models.finite import check_finite
from faultlens.models.gelu import fused_gelu
from faultlens.models.greedy import Continuations, continue_greedily
from faultlens.models.hooks import Keep, SiteHook, changed, edited, refuse_left_out
from faultlens.models.last_mlp import last_mlp_at
from faultlens.models.loaded_model import LoadedModel
from faultlens.models.restart import Restart, restarted
from faultlens.models.sites import Site
from faultlens.models.unembedding import unembedded


class _AllRead(Exception):  # noqa: N818  (no error: the pass has done its work)
    """Raised from a hook to leave the forward pass once every site has been read."""


@dataclass(frozen=True, eq=False)
class Model(LoadedModel):
    """A causal language model and its tokenizer behind the names of `faultlens.models.sites`.

    Token ids are passed as right-padded `[batch, positions]` tensors: a causal model never looks
    right, so padding on the right needs no mask and changes no number before it.

    Its attributes, and what is known of it without running it, are those of `LoadedModel`.
    """

    @torch.no_grad()
    def read(
        self, ids: Tensor, sites: Sequence[Site], positions: Tensor | None = None
    ) -> dict[Site, Tensor]:
        """The values at `sites`, float32 `[batch, positions, d]` each, from one forward pass.

        The pass stops after the last site; the unembedding is never computed.

        Args:
            ids: right-padded token ids, `[batch, positions]`.
            sites: at least one.
            positions: of each token within its own text, of the shape of `ids`: where it starts
                again at 0 another text begins, which does not see the one before it. Only for a
                model that `packs`. None: a row is a text.

        Raises:
            UserError: the model does not have a site, or its values there are not finite.
        """
        edits, values = self.keeping(sites)
        wanted = len(edits)

        def leave() -> None:
            if len(values) == wanted:
                raise _AllRead

        try:
            with self.edited(edits, then=leave), self._fused():
                # No cache and no mask: only so does transformers part packed texts by position.
                self.body(input_ids=ids, position_ids=positions, use_cache=False)
        except _AllRead:
            pass
        return values

    def keeping(self, sites: Sequence[Site]) -> tuple[dict[Site, SiteHook], dict[Site, Tensor]]:
        """Edits that change nothing, and the values at `sites` that they keep during a pass.

        A pass under them raises UserError for values that are not finite.
        """
        values: dict[Site, Tensor] = {}

        def check(value: Tensor, site: Site) -> None:
            self.require_finite(value, site.name)

        return {site: Keep(site, values, check) for site in sites}, values

    def logits(
        self,
        ids: Tensor,
        *,
        at: Tensor | None = None,
        edits: Mapping[Site, SiteHook] | None = None,
        restart: Restart | None = None,
        cache: Any = None,
    ) -> Tensor:
        """Logits in float32, `[batch, positions, vocabulary]`; with `at`, `[chosen, vocabulary]`.

        The arguments are those of `hidden`.
        """
        return self.unembed(self.hidden(ids, at=at, edits=edits, restart=restart, cache=cache))

    def hidden(
        self,
        ids: Tensor,
        *,
        at: Tensor | None = None,
        edits: Mapping[Site, SiteHook] | None = None,
        restart: Restart | None = None,
        cache: Any = None,
    ) -> Tensor:
        """What the unembedding reads, in the model's precision, `[batch, positions, d]`.

        Args:
            ids: right-padded token ids, `[batch, positions]`.
            at: for each row the position whose next-token logits are wanted, `[batch]`; or which
                positions, a mask `[batch, positions]`. The result is then `[chosen, d]`.
            edits: changes to the values at sites, applied during the pass.
            restart: skip the blocks before a layer, using its cached residual.
            cache: keys and values of the columns before `ids` (see `prefix_cache`); taken over.

        Raises:
            UserError: it is not finite.
        """
        kept = {"use_cache": False} if cache is None else {"past_key_values": cache}
        skip = restart is not None and self.skips
        if restart is not None and skip:
            refuse_left_out(edits or {}, restart.layer)
        with (
            restarted(self.adapter, self.network, restart, skip),
            self.edited(edits or {}),
            self._fused(),
            self._last_mlp(at, edits or {}),
        ):
            hidden: Tensor = self.body(input_ids=ids, **kept).last_hidden_state
        if at is not None and at.dtype == torch.bool:
            hidden = hidden[at]
        elif at is not None:
            hidden = hidden[torch.arange(len(ids), device=hidden.device), at]
        self._require_finite_end(hidden, "its last hidden state", ids, edits or {})
        return hidden

    def pass_from(self, ids: Tensor, restart: Restart | None, skip: bool) -> Tensor:
        """What the unembedding reads, float32, of a plain pass taken up at `restart`: for probes.

        Args:
            ids: `[batch, positions]`.
            restart: None: the whole pass.
            skip: leave out the blocks before.
        """
        with torch.no_grad(), restarted(self.adapter, self.network, restart, skip):
            found: Tensor = self.body(input_ids=ids, use_cache=False)[0]
        return found.float()

    def unembed(self, hidden: Tensor, tokens: Tensor | None = None) -> Tensor:
        """Logits in float32, `[..., vocabulary]`, or only those of `tokens`, ascending ids."""
        head = self.network.get_output_embeddings()
        return unembedded(head, self.text_config, hidden, tokens)

    @cached_property
    def unembedding_norms(self) -> Tensor:
        """How far a hidden state's move by 1 can move each token's logit, `[vocabulary]`."""
        norms: Tensor = self.network.get_output_embeddings().weight.detach().float().norm(dim=1)
        return norms

    def generate(
        self,
        rows: Sequence[Sequence[int]],
        new_tokens: int,
        edits: Mapping[Site, SiteHook] | None = None,
    ) -> list[list[int]]:
        """Greedy continuations of `rows`: the ids of `continuations`."""
        return self.continuations(rows, new_tokens, edits).ids

    def continuations(
        self,
        rows: Sequence[Sequence[int]],
        new_tokens: int,
        edits: Mapping[Site, SiteHook] | None = None,
    ) -> Continuations:
        """Continue `rows` (token ids, BOS included) greedily, by up to `new_tokens` ids each.

        Rows are padded on the left here, and must be of one length where `pads_left` says no. Edits
        act on the prompt (`[batch, longest, d]`) and on every decoding step (`[batch, 1, d]`). Of
        the settings in `generation_config.json` only the end of the text counts (see `greedy`).

        Raises:
            UserError: logits that are not finite.
        """

        if len({len(row) for row in rows}) > 1 and not self.pads_left:
            raise ValueError(f"model {self.name} decodes rows of one length together, got several")

        def check(logits: Tensor) -> None:
            self._require_finite_end(logits, "its logits", self.pad(rows), edits or {})

        with self.edited(edits or {}), self._fused():
            return continue_greedily(self.network, rows, new_tokens, self.pad_id, check)

    def require_finite(self, values: Tensor, where: str, edited: bool = False) -> None:
        """Raises UserError for values read at `where` that are NaN or infinite: see `finite`."""
        check_finite(values, self.name, where, self.dtype, edited)

    def _require_finite_end(
        self, values: Tensor, where: str, ids: Tensor, edits: Mapping[Site, SiteHook]
    ) -> None:
        """The same for what a pass over `ids` ends in: an unedited pass names the first site."""
        if torch.isfinite(values).all():
            return
        if not changed(edits):
            ends = [Site(layer, "resid_post") for layer in range(self.n_layers)]
            self.read(ids, [Site(0, "resid_pre"), *ends])
        self.require_finite(values, where, changed(edits))

    def edited(
        self, edits: Mapping[Site, SiteHook], then: Callable[[], None] | None = None
    ) -> AbstractContextManager[None]:
        """Within this context the value at each site is what its edit returns.

        Args:
            edits: of each site.
            then: called after each edit.

        Raises:
            UserError: the model does not have a site.
            RuntimeError: on leaving normally, if a hook never ran.
        """
        return edited({site: self.tap(site) for site in edits}, edits, then)

    @cached_property
    def packs(self) -> bool:
        """Whether texts that share a row are read as if each were alone; tried out once."""
        return probes.packs(self)

    @property
    def pads_left(self) -> bool:
        """Whether rows of several lengths can be decoded together, padded on the left.

        Only where a mask parts texts: what keeps a state from token to token takes in the padding.
        """
        return self.packs

    @property
    def widest_row(self) -> int:
        """The longest row that texts may share; 0 where each needs one to itself."""
        return probes.widest_row(self.text_config, self.context) if self.packs else 0

    @cached_property
    def skips(self) -> bool:
        """Whether a restart may leave out the blocks before its layer; tried out once."""
        return probes.skips(self)

    def _fused(self) -> AbstractContextManager[None]:
        return fused_gelu(self.adapter.blocks(self.network))

    def _last_mlp(
        self, at: Tensor | None, edits: Mapping[Site, SiteHook]
    ) -> AbstractContextManager[None]:
        """The last MLP only at positions `at`, one a row, unless an edit looks at it or behind."""
        last = self.n_layers - 1
        tap = self.adapter.tap(self.network, Site(last, "mlp_in"))
        behind = any(site.depth > Site(last, "resid_mid").depth for site in edits)
        if at is None or at.dtype == torch.bool or tap is None or tap.side != "input" or behind:
            return nullcontext()
        return last_mlp_at(tap.module, at)
