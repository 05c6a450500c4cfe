"""Harvest: the values at every site of a run, from one pass of the model over a stretch of tokens.

Pieces share rows, as in reading; the start token goes before each piece and is left out, and so are
tokens with massive norms, which would be most of a loss that is a sum of squares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from faultlens.features.packing import ROW, pack
from faultlens.features.reading import read_values
from faultlens.features.reading_config import MASSIVE
from faultlens.features.text_tokens import TextTokens
from faultlens.models.model import Model
from faultlens.models.sites import Site
from faultlens.training.freed_memory import hand_back
from faultlens.training.stream import Span, TokenStream

PASS_TOKENS, PASS_TOKENS_CPU = 4096, 512
"""Positions of a pass, for all of which the model's weights are read once.

A processor gains nothing by more than 512: a pass of 4,096 through GPT-2 small takes as long a
token, and its activations 300 MB more.
"""


@dataclass(frozen=True, eq=False)
class Block:
    """What a stretch of tokens looks like at every site, in one random order.

    Attributes:
        values: by site, float32 `[tokens, d]`.
        special: which tokens are special ones of the tokenizer, boolean `[tokens]`.
    """

    values: dict[Site, Tensor]
    special: Tensor


@dataclass(frozen=True, eq=False)
class Harvest:
    """A model, the sites of a run, and the ids that go before each piece: its start token."""

    model: Model
    sites: tuple[Site, ...]
    before: Sequence[int]

    def block(self, stream: TokenStream, start: int, count: int) -> Block:
        """Tokens `start` to `start + count` of a stream, in an order that both decide."""
        places = places_of(stream.seed, start, count)
        block = self.read(stream.pieces, stream.spans(start, count), places)
        hand_back()
        return block

    def read(self, pieces: Sequence[np.ndarray], spans: Sequence[Span], places: Tensor) -> Block:
        """The tokens of some spans.

        Args:
            pieces: token ids of every piece, without the start token.
            spans: which tokens of which pieces.
            places: the row of the n-th token that is read, `[tokens]`: it is written there at once,
                so that nothing is held twice.
        """
        device, count = self.model.device, len(places)
        found = {
            site: torch.empty(count, self.model.width(site), device=device) for site in self.sites
        }
        special = torch.zeros(count, dtype=torch.bool, device=device)
        row = min(ROW, self.model.widest_row)
        # What comes after a span is not read: it changes nothing before it.
        texts = [TextTokens((pieces[span.piece][: span.last],)) for span in spans]
        done, budget = 0, PASS_TOKENS_CPU if device.type == "cpu" else PASS_TOKENS
        for packed in pack([[len(text)] for text in texts], len(self.before), budget, row):
            mine = [texts[index] for index in packed.texts]
            firsts = [spans[index].first for index in packed.texts]
            wanted = np.concatenate(
                [np.arange(len(text)) >= first for text, first in zip(mine, firsts, strict=True)]
            )
            ids = np.concatenate([text.ids for text in mine])[wanted]
            rows = places[done : done + len(ids)].to(device)
            (values,) = read_values(self.model, self.sites, packed, mine, self.before)
            for site in self.sites:
                found[site][rows] = values[site][torch.from_numpy(wanted).to(device)]
            is_special = np.isin(ids, sorted(self.model.special_ids))
            special[rows] = torch.from_numpy(is_special).to(device)
            done += len(ids)
        return Block(found, special)


def places_of(seed: int, start: int, count: int) -> Tensor:
    """The random order of a block of a stream of that seed, `[count]`."""
    generator = torch.Generator().manual_seed(_seed(seed, start))
    return torch.randperm(count, generator=generator)


def _seed(seed: int, start: int) -> int:
    """A seed for torch that both numbers decide."""
    return int(np.random.default_rng([seed, start]).integers(2**62))


@dataclass(frozen=True)
class InputScale:
    """What is known of a site's values before anything is learnt from them.

    Attributes:
        factor: values times this have mean norm `sqrt(d)`, as SAELens scales them.
        mean: of the values, `[d]`.
        largest: the norm beyond which a token is massive.
    """

    factor: float
    mean: Tensor
    largest: float

    @classmethod
    def of(cls, values: Tensor) -> InputScale:
        """From a first block, `[tokens, d]`; massive tokens do not count."""
        norms = values.norm(dim=-1)
        largest = MASSIVE * float(norms.median())
        usual = norms <= largest
        mean_norm = float(norms[usual].double().mean())
        factor = values.shape[1] ** 0.5 / mean_norm if mean_norm > 0 else 1.0
        return cls(factor, values[usual].mean(dim=0), largest)

    def usual(self, values: Tensor) -> Tensor:
        """Which tokens are not massive, boolean `[tokens]`."""
        found: Tensor = values.norm(dim=-1) <= self.largest
        return found


def learnt_from(block: Block, scales: Mapping[Site, InputScale]) -> Tensor:
    """Tokens that are neither special nor massive at any of the sites, boolean `[tokens]`."""
    usual = ~block.special
    for site, values in block.values.items():
        usual &= scales[site].usual(values)
    return usual
