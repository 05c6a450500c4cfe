"""Model: a Hugging Face causal language model that can be read, edited, cut short and restarted.

Everything is done with hooks placed inside one context manager and always removed. A hook that was
placed and never ran is an error: otherwise an edit that did nothing would pass for a measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from faultlens.errors import UserError
from faultlens.models import probes
from faultlens.models.adapter import Adapter
from faultlens.models.finite import check_finite
from faultlens.models.gelu import fused_gelu
from faultlens.models.greedy import Continuations, continue_greedily
from faultlens.models.hooks import Keep, SiteHook, changed, place
from faultlens.models.last_mlp import last_mlp_at
from faultlens.models.restart import Restart, restarted
from faultlens.models.sites import POINTS, Site
from faultlens.models.token_ids import (
    bos_of,
    check_embedded,
    check_whole_characters,
    special_ids,
)

CONTEXT = ("max_position_embeddings", "max_seq_len", "seq_length", "context_length")
"""Under which names configurations keep the longest input."""
UNBOUNDED = 2**20
"""Tokens of an input to a model without positions: a bound for what is read in one piece."""


class _AllRead(Exception):  # noqa: N818  (no error: the pass has done its work)
    """Raised from a hook to leave the forward pass once every site has been read."""


@dataclass(frozen=True, eq=False)
class Model:
    """A causal language model and its tokenizer behind the names of `faultlens.models.sites`.

    Token ids are passed as right-padded `[batch, positions]` tensors: a causal model never looks
    right, so padding on the right needs no mask and changes no number before it.

    Attributes:
        name: as the user gave it.
        network: transformers' model, whose attributes are not typed.
        tokenizer: transformers' tokenizer.
        adapter: where the family keeps the named quantities.
        digest: of the files that decide its numbers, or the hub's commit.
        quantisation: what the weights were stored in, where that was coarser than a float.
        tuning: the folder of the LoRA adapter that is merged into the weights.
        split_special_tokens: what looks like a special token in a text is read as plain text.
        is_mini: whether the weights, before any adapter, are the bundled model's.
        start: what is to stand in front of a text, as it was asked for; see `start_token`.
    """

    name: str
    network: Any
    tokenizer: Any
    adapter: Adapter
    digest: str
    quantisation: str | None = None
    tuning: str | None = None
    split_special_tokens: bool = False
    is_mini: bool = False
    start: str | None = None

    @property
    def identity(self) -> dict[str, str]:
        """What a manifest says of it: which model, of what quantisation, with which adapter."""
        told = {"quantisation": self.quantisation, "adapter": self.tuning}
        known = {name: value for name, value in told.items() if value is not None}
        return {"name": self.name, "digest": self.digest, **known}

    @property
    def published_names(self) -> list[str]:
        """Names under which the model may have been published, the most certain first."""
        saved = str(getattr(self._config, "_name_or_path", "") or "")
        return list(dict.fromkeys(name for name in (self.name, saved) if name))

    @property
    def caveats(self) -> list[str]:
        """What a result that was read of it has to say of its weights, a sentence each."""
        said = []
        if self.quantisation is not None:
            said.append(
                f"model {self.name} runs on weights that were stored as {self.quantisation}: "
                "dictionaries trained on unquantised weights may fit less, see the fit check"
            )
        if self.tuning is not None:
            said.append(
                f"the adapter {self.tuning} is merged into model {self.name}: dictionaries trained "
                "on its base may fit less, see the fit check"
            )
        return said

    @property
    def n_layers(self) -> int:
        return len(self.adapter.blocks(self.network))

    @cached_property
    def body(self) -> Any:
        """The network up to what the unembedding reads."""
        inner = self.network.base_model
        return self.network.model if inner is self.network else inner  # Llama 4's text model

    @property
    def _config(self) -> Any:
        """The language model's configuration; a multimodal model keeps it within its own."""
        return self.network.config.get_text_config()

    @property
    def d_model(self) -> int:
        return int(self._config.hidden_size)

    @property
    def context(self) -> int:
        """The longest input, in tokens, BOS included; `UNBOUNDED` where the model sets no limit."""
        said = (getattr(self._config, name, None) for name in CONTEXT)
        return next((int(length) for length in said if length), UNBOUNDED)

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

    @cached_property
    def embedded(self) -> int:
        """How many token ids have a row in the embedding."""
        return int(self.network.get_input_embeddings().weight.shape[0])

    @property
    def has_bos(self) -> bool:
        """Whether there is a token to put in front of a text."""
        return self._bos is not None

    @property
    def bos_id(self) -> int:
        """The token that is put in front of a text: BOS, or what stands in for it (`bos_of`).

        Raises UserError where there is none, or the model has no embedding of it.
        """
        if self._bos is None:
            raise UserError(
                f"model {self.name} has no BOS: its tokenizer names neither BOS nor EOS, and its "
                "config.json no bos_token_id; name one there, or read dictionaries that were "
                "trained without BOS (--convention no-bos)"
            )
        check_embedded(self.name, self.tokenizer, [self._bos], self.embedded)
        return self._bos

    @property
    def _bos(self) -> int | None:
        return bos_of(self.tokenizer, self._config)

    @property
    def _pad_id(self) -> int:
        """Fills rows up behind their text, where nothing looks."""
        bos = self._bos
        return bos if bos is not None and bos < self.embedded else 0

    @property
    def device(self) -> torch.device:
        return self._parameter.device

    @property
    def dtype(self) -> torch.dtype:
        """What the model runs in."""
        return self._parameter.dtype

    @property
    def _parameter(self) -> Tensor:
        parameter: Tensor = next(iter(self.network.parameters()))
        return parameter

    def ids(self, text: str) -> list[int]:
        """Token ids of `text` alone: no BOS, no other special token added.

        Special tokens that stand in the text are themselves, unless `split_special_tokens`.

        Raises UserError for a token that the model has no embedding of, and for half a character.
        """
        ids: list[int] = self._encoded(text)["input_ids"]
        check_embedded(self.name, self.tokenizer, ids, self.embedded)
        return list(ids)

    def _encoded(self, text: str, **options: bool) -> Any:
        check_whole_characters(text)
        if self.split_special_tokens:
            options["split_special_tokens"] = True
        return self.tokenizer(text, add_special_tokens=False, **options)

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """The ids of special tokens: BOS, EOS, padding, turn markers and the like."""
        return special_ids(self.tokenizer)

    def after_start(self, ids: Sequence[int], start: Sequence[int]) -> list[int]:
        """`ids` without the start token that they begin with, if they do, for it is put in front.

        Args:
            ids: of a text.
            start: what is put in front of it; only special tokens are taken off.
        """
        n = len(start)
        begins = n > 0 and list(ids[:n]) == list(start) and self.special_ids.issuperset(start)
        return list(ids[n:] if begins else ids)

    def ids_and_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """`ids`, and where each token begins and ends in the text, in characters.

        All offsets are (0, 0) for a tokenizer that cannot tell them.
        """
        if not getattr(self.tokenizer, "is_fast", False):
            ids = self.ids(text)
            return ids, [(0, 0)] * len(ids)
        found = self._encoded(text, return_offsets_mapping=True)
        return list(found["input_ids"]), [(start, end) for start, end in found["offset_mapping"]]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """What each token stands for, with U+FFFD for the bytes of a split character."""
        return [self.tokenizer.decode([i]) for i in ids]

    def pad(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """`[batch, longest]` int64, padded on the right."""
        longest = max(len(row) for row in rows)
        padded = torch.full((len(rows), longest), self._pad_id, dtype=torch.long)
        for i, row in enumerate(rows):
            padded[i, : len(row)] = torch.tensor(row, dtype=torch.long)
        return padded.to(self.device)

    def has(self, site: Site) -> bool:
        """Whether the model has `site`."""
        return 0 <= site.layer < self.n_layers and self.adapter.tap(self.network, site) is not None

    def check(self, site: Site) -> None:
        """Raises UserError unless the model has `site`."""
        if not 0 <= site.layer < self.n_layers:
            raise UserError(
                f"model {self.name} has no site {site.name}: its layers are 0 to "
                f"{self.n_layers - 1}"
            )
        if self.adapter.tap(self.network, site) is None:
            raise UserError(
                f"model {self.name} has no site {site.name}: "
                f"{self.adapter.lacks(self.network, site)}; choose resid_pre or resid_post"
            )

    def sites(self) -> list[Site]:
        """All sites that the model has, in the order of the pass."""
        every = [Site(layer, point) for layer in range(self.n_layers) for point in POINTS]
        return [site for site in every if self.adapter.tap(self.network, site) is not None]

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
        _refuse_left_out(edits or {}, restart if skip else None)
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
        if tokens is None:
            logits: Tensor = head(hidden).float()
        else:
            bias = None if head.bias is None else head.bias[tokens]
            logits = nn.functional.linear(hidden, head.weight[tokens], bias).float()
        scale = _logit_scale(self._config)
        if scale != 1.0:
            logits = logits * scale
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
            return continue_greedily(self.network, rows, new_tokens, self._pad_id, check)

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

    @contextmanager
    def edited(
        self, edits: Mapping[Site, SiteHook], then: Callable[[], None] | None = None
    ) -> Iterator[None]:
        """Within this context the value at each site is what its edit returns.

        Args:
            edits: of each site.
            then: called after each edit.

        Raises:
            RuntimeError: on leaving normally, if a hook never ran.
        """
        ran: set[Site] = set()
        handles = []

        def noting(site: Site) -> SiteHook:
            def edit(value: Tensor) -> Tensor:
                ran.add(site)
                new = edits[site](value)
                if then is not None:
                    then()
                return new

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
        return probes.widest_row(self._config, self.context) if self.packs else 0

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


def _refuse_left_out(edits: Mapping[Site, SiteHook], restart: Restart | None) -> None:
    """Raises RuntimeError for an edit in a block that a restart leaves out: it would do nothing."""
    left_out = [] if restart is None else [s.name for s in edits if s.layer < restart.layer]
    if left_out:
        raise RuntimeError(f"hooks that never ran: {', '.join(left_out)}")


def _logit_scale(config: Any) -> float:
    """What logits are multiplied by behind the unembedding: Granite's divisor, Cohere's factor."""
    divisor, factor = (getattr(config, name, None) for name in ("logits_scaling", "logit_scale"))
    return float(factor or 1.0) / float(divisor or 1.0)
