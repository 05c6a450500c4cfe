"""Model: a Hugging Face causal language model that can be read, edited, cut short and restarted.

Everything is done with hooks placed inside one context manager and always removed; a hook that was
placed and never ran is an error, for silence would pass for a measurement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from faultlens.errors import UserError
from faultlens.models.adapter import Adapter
from faultlens.models.gelu import fused_gelu
from faultlens.models.hooks import SiteHook, place
from faultlens.models.last_mlp import narrowed
from faultlens.models.sites import Site


class _EnoughRead(Exception):  # noqa: N818  (no error: the pass has done its work)
    """Raised from a hook to leave the forward pass once the last site has been read."""


class _Skip(nn.Module):
    """Stands in for a block: passes its input on, or puts a cached residual in its place."""

    def __init__(self, residual: Tensor | None = None) -> None:
        super().__init__()
        self.residual = residual

    def forward(self, hidden: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return hidden if self.residual is None else self.residual


@dataclass(frozen=True)
class Restart:
    """Take the forward pass up at block `layer` from the cached `residual` that enters it.

    The residual is `blocks.{layer}.hook_resid_pre`, `[batch, positions, d_model]`, read from the
    same token ids; it is brought to what the model runs in.
    """

    layer: int
    residual: Tensor


@dataclass(frozen=True, eq=False)
class Continuations:
    """Greedy continuations of some rows.

    Attributes:
        ids: of each row the new token ids, up to the end of the text.
        first_logits: what the first new token was chosen by, float32 `[batch, vocabulary]`: the
            same as `Model.logits` at each row's last token.
    """

    ids: list[list[int]]
    first_logits: Tensor


@dataclass(frozen=True, eq=False)
class Model:
    """A causal language model and its tokenizer behind the names of `faultlens.models.sites`.

    Token ids are passed as right-padded `[batch, positions]` tensors: a causal model never looks
    right, so padding on the right needs no mask and changes no number before it.
    """

    name: str
    network: Any  # transformers.PreTrainedModel; its attributes are not typed
    tokenizer: Any
    adapter: Adapter
    digest: str  # of the weight files, or the hub's commit

    @property
    def n_layers(self) -> int:
        return len(self.adapter.blocks(self.network))

    @property
    def _config(self) -> Any:
        """The language model's configuration; a multimodal model keeps it within its own."""
        return self.network.config.get_text_config()

    @property
    def d_model(self) -> int:
        return int(self._config.hidden_size)

    @property
    def context(self) -> int:
        """The longest input, in tokens, BOS included."""
        return int(self._config.max_position_embeddings)

    def width(self, site: Site) -> int:
        """The dimensions of the value at `site`: `d_model`, but heads times head size at `z`."""
        if site.point != "z":
            return self.d_model
        config = self._config
        head = getattr(config, "head_dim", None) or self.d_model // config.num_attention_heads
        return int(config.num_attention_heads * head)

    @property
    def vocabulary(self) -> int:
        return int(self._config.vocab_size)

    @property
    def bos_id(self) -> int:
        bos = self.tokenizer.bos_token_id
        return int(self.tokenizer.eos_token_id if bos is None else bos)

    @property
    def device(self) -> torch.device:
        device: torch.device = next(iter(self.network.parameters())).device
        return device

    def ids(self, text: str) -> list[int]:
        """Token ids of `text` alone: no BOS, no other special token added."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def ids_and_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """`ids`, and where each token begins and ends in the text, in characters.

        All offsets are (0, 0) for a tokenizer that cannot tell them.
        """
        if not getattr(self.tokenizer, "is_fast", False):
            ids = self.ids(text)
            return ids, [(0, 0)] * len(ids)
        found = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return list(found["input_ids"]), [(start, end) for start, end in found["offset_mapping"]]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """What each token stands for, with U+FFFD for the bytes of a split character."""
        return [self.tokenizer.decode([i]) for i in ids]

    def pad(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """`[batch, longest]` int64, padded on the right."""
        longest = max(len(row) for row in rows)
        padded = torch.full((len(rows), longest), self.bos_id, dtype=torch.long)
        for i, row in enumerate(rows):
            padded[i, : len(row)] = torch.tensor(row, dtype=torch.long)
        return padded.to(self.device)

    def check(self, site: Site) -> None:
        """Raises UserError unless the model has `site`."""
        if not 0 <= site.layer < self.n_layers:
            raise UserError(
                f"model {self.name} has no site {site.name}: its layers are 0 to "
                f"{self.n_layers - 1}"
            )
        if self.adapter.tap(self.network, site) is None:
            raise UserError(
                f"model {self.name} has no site {site.name}: its attention and MLP run side by "
                "side, so no residual lies between them; choose resid_pre or resid_post"
            )

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
        """
        values: dict[Site, Tensor] = {}
        last = max(sites, key=lambda site: site.depth)

        def keep(site: Site) -> SiteHook:
            def hook(value: Tensor) -> Tensor:
                values[site] = value.detach()
                if site == last:  # the deepest site: hooks run in the order of the pass
                    raise _EnoughRead
                return value

            return hook

        try:
            with self.edited({site: keep(site) for site in sites}), self._fused():
                # No cache and no mask: only so does transformers part packed texts by position.
                self.network.base_model(input_ids=ids, position_ids=positions, use_cache=False)
        except _EnoughRead:
            pass
        return values

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
            cache: keys and values of the columns before `ids` (see `suffix`); taken over.
        """
        kept = {"use_cache": False} if cache is None else {"past_key_values": cache}
        with (
            self.edited(edits or {}),
            self._restarted(restart),
            self._fused(),
            self._narrowed(at, edits or {}),
        ):
            hidden: Tensor = self.network.base_model(input_ids=ids, **kept).last_hidden_state
        if at is not None and at.dtype == torch.bool:
            hidden = hidden[at]
        elif at is not None:
            hidden = hidden[torch.arange(len(ids), device=hidden.device), at]
        return hidden

    def unembed(self, hidden: Tensor, tokens: Tensor | None = None) -> Tensor:
        """Logits in float32, `[..., vocabulary]`, or only those of `tokens`, ascending ids."""
        head = self.network.get_output_embeddings()
        if tokens is None:
            logits: Tensor = head(hidden).float()
        else:
            bias = None if head.bias is None else head.bias[tokens]
            logits = nn.functional.linear(hidden, head.weight[tokens], bias).float()
        cap = getattr(self._config, "final_logit_softcapping", None)  # Gemma 2
        return logits if cap is None else torch.tanh(logits / cap) * cap

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

    @torch.no_grad()
    def continuations(
        self,
        rows: Sequence[Sequence[int]],
        new_tokens: int,
        edits: Mapping[Site, SiteHook] | None = None,
    ) -> Continuations:
        """Continue `rows` (token ids, BOS included) greedily, by up to `new_tokens` ids each.

        One pass over the prompts, then one token a pass, on a cache of keys and values. Rows are
        padded on the left here, as Hugging Face's `generate` wants them. Edits act on the prompt
        (`[batch, longest, d]`) and on every decoding step (`[batch, 1, d]`).
        """
        longest = max(len(row) for row in rows)
        ids = torch.full((len(rows), longest), self.bos_id, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, longest - len(row) :] = torch.tensor(row, dtype=torch.long)
            mask[i, longest - len(row) :] = 1
        first: list[Tensor] = []

        def keep_first(_: Tensor, logits: Tensor) -> Tensor:
            if not first:
                first.append(logits.float())
            return logits

        with self.edited(edits or {}), self._fused():
            out = self.network.generate(
                ids.to(self.device),
                attention_mask=mask.to(self.device),
                generation_config=self._greedy(new_tokens),
                logits_processor=[keep_first],
            )
        return Continuations([self._until_end(row[longest:].tolist()) for row in out], first[0])

    def _greedy(self, new_tokens: int) -> Any:
        """Plain greedy decoding, whatever the model's own folder says of beams or penalties."""
        from transformers import GenerationConfig

        return GenerationConfig(
            max_new_tokens=new_tokens,
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,
            no_repeat_ngram_size=0,
            min_new_tokens=0,
            eos_token_id=self.network.generation_config.eos_token_id,
            pad_token_id=self.bos_id,
        )

    def _until_end(self, ids: list[int]) -> list[int]:
        end = self.network.generation_config.eos_token_id
        ends = set(end) if isinstance(end, list) else {end}
        return next((ids[:i] for i, token in enumerate(ids) if token in ends), ids)

    @contextmanager
    def edited(self, edits: Mapping[Site, SiteHook]) -> Iterator[None]:
        """Within this context the value at each site is what its edit returns.

        Raises RuntimeError on leaving normally if a hook never ran.
        """
        ran: set[Site] = set()
        handles = []

        def noting(site: Site) -> SiteHook:
            def edit(value: Tensor) -> Tensor:
                ran.add(site)
                return edits[site](value)

            return edit

        try:
            # In the order of the pass: two hooks on one module run in the order they were placed.
            for site in sorted(edits, key=lambda site: site.depth):
                self.check(site)
                tap = self.adapter.tap(self.network, site)
                assert tap is not None, "check has seen to it"
                handles.append(place(tap, noting(site)))
            yield
        finally:
            for handle in handles:
                handle.remove()
        silent = [site.name for site in edits if site not in ran]
        if silent:
            raise RuntimeError(f"hooks that never ran: {', '.join(silent)}")

    @cached_property
    def packs(self) -> bool:
        """Whether texts that share a row are read as if each were alone; tried out once.

        It takes a mask that parts the texts. Which attention makes one depends on the family, on
        the implementation and on the release of transformers, and where none is made nothing says
        so. So: two short texts in one row, against each in a row of its own; equal means within
        1e-4 of each token's norm (5e-2 in half precision), the first token of a text left out.
        """
        texts = [[self.bos_id, *(1 + i * step % 31 for i in range(1, 7))] for step in (3, 7)]
        ids = torch.tensor(texts, device=self.device).clamp(max=self.vocabulary - 1)
        positions = torch.arange(ids.shape[1], device=self.device).repeat(1, 2)
        if positions.shape[1] > self.context:
            return False
        site = Site(self.n_layers - 1, "resid_post")
        alone = self.read(ids, [site])[site]
        packed = self.read(ids.reshape(1, -1), [site], positions)[site].reshape(alone.shape)
        half = next(iter(self.network.parameters())).dtype != torch.float32
        error = (packed - alone).norm(dim=-1) / alone.norm(dim=-1).clamp(min=1e-30)
        return bool(error[:, 1:].max() <= (5e-2 if half else 1e-4))

    def _fused(self) -> AbstractContextManager[None]:
        return fused_gelu(self.adapter.blocks(self.network))

    def _narrowed(
        self, at: Tensor | None, edits: Mapping[Site, SiteHook]
    ) -> AbstractContextManager[None]:
        """The last MLP only at positions `at`, one a row, unless an edit looks at it or behind."""
        last = self.n_layers - 1
        tap = self.adapter.tap(self.network, Site(last, "mlp_in"))
        behind = any(site.depth > Site(last, "resid_mid").depth for site in edits)
        if at is None or at.dtype == torch.bool or tap is None or tap.side != "input" or behind:
            return nullcontext()
        return narrowed(tap.module, at)

    @contextmanager
    def _restarted(self, restart: Restart | None) -> Iterator[None]:
        """Put stand-ins in the place of the first blocks, keeping every block at its own index."""
        if restart is None or restart.layer == 0:
            yield
            return
        full = self.adapter.blocks(self.network)
        like = next(iter(self.network.parameters()))  # reading gave float32, whatever the model is
        residual = restart.residual.to(like.device, like.dtype)
        skips = [_Skip(residual)] + [_Skip() for _ in range(restart.layer - 1)]
        try:
            self.adapter.put_blocks(self.network, nn.ModuleList([*skips, *full[restart.layer :]]))
            yield
        finally:
            self.adapter.put_blocks(self.network, full)
