"""Loaded model: a network, its tokenizer and its family's adapter, and what they say of themselves.

Nothing here runs the network: `faultlens.models.model` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from faultlens.errors import UserError
from faultlens.models.adapter import Adapter, Tap
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


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A causal language model as it was loaded: its weights' origin, its sizes, tokens and sites.

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
        saved = str(getattr(self.text_config, "_name_or_path", "") or "")
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
    def text_config(self) -> Any:
        """The language model's configuration; a multimodal model keeps it within its own."""
        return self.network.config.get_text_config()

    @property
    def d_model(self) -> int:
        return int(self.text_config.hidden_size)

    @property
    def context(self) -> int:
        """The longest input, in tokens, BOS included; `UNBOUNDED` where the model sets no limit."""
        said = (getattr(self.text_config, name, None) for name in CONTEXT)
        return next((int(length) for length in said if length), UNBOUNDED)

    def width(self, site: Site) -> int:
        """The dimensions of the value at `site`: `d_model`, but heads times head size at `z`."""
        if site.point != "z":
            return self.d_model
        config = self.text_config
        head = getattr(config, "head_dim", None) or self.d_model // config.num_attention_heads
        return int(config.num_attention_heads * head)

    @property
    def vocabulary(self) -> int:
        return int(self.text_config.vocab_size)

    @cached_property
    def embedded(self) -> int:
        """How many token ids have a row in the embedding."""
        return int(self.network.get_input_embeddings().weight.shape[0])

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

    def has(self, site: Site) -> bool:
        """Whether the model has `site`."""
        return self._tap(site) is not None

    def check(self, site: Site) -> None:
        """Raises UserError unless the model has `site`."""
        self.tap(site)

    def tap(self, site: Site) -> Tap:
        """Where the value at `site` passes. Raises UserError if the model has no such site."""
        found = self._tap(site)
        if found is not None:
            return found
        why = f"its layers are 0 to {self.n_layers - 1}"
        if 0 <= site.layer < self.n_layers:
            why = f"{self.adapter.lacks(self.network, site)}; choose resid_pre or resid_post"
        raise UserError(f"model {self.name} has no site {site.name}: {why}")

    def _tap(self, site: Site) -> Tap | None:
        inside = 0 <= site.layer < self.n_layers
        return self.adapter.tap(self.network, site) if inside else None

    def sites(self) -> list[Site]:
        """All sites that the model has, in the order of the pass."""
        every = [Site(layer, point) for layer in range(self.n_layers) for point in POINTS]
        return [site for site in every if self.has(site)]

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
        return bos_of(self.tokenizer, self.text_config)

    @property
    def pad_id(self) -> int:
        """Fills rows up behind their text, where nothing looks."""
        bos = self._bos
        return bos if bos is not None and bos < self.embedded else 0

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
        padded = torch.full((len(rows), longest), self.pad_id, dtype=torch.long)
        for i, row in enumerate(rows):
            padded[i, : len(row)] = torch.tensor(row, dtype=torch.long)
        return padded.to(self.device)
