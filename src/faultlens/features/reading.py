"""Reading: texts through the model and every dictionary in one pass, some texts at a time.

Texts are packed into rows under a token budget; only real tokens are encoded (where they are is
known from lengths, never from ids). BOS is read past but never encoded, and so are the tokens that
a `TokenChoice` leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from faultlens.features.encode import encode
from faultlens.features.packing import PackedTexts, pack, place
from faultlens.features.shapes import Shapes
from faultlens.features.text_tokens import TextTokens, ids_in_front
from faultlens.features.token_activations import EncodedTokens, TokenActivations
from faultlens.features.token_choice import TokenChoice
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model
from faultlens.models.sites import Site

WINDOW = 65_536  # tokens of texts that are sorted by length and packed at a time


@dataclass(frozen=True)
class ReadTexts:
    """Texts that were read together, and what every dictionary saw in them.

    Attributes:
        texts: their numbers.
        own_bos: how many of them begin with BOS themselves.
        activations: by dictionary.
    """

    texts: tuple[int, ...]
    own_bos: int
    activations: dict[str, TokenActivations]


@dataclass(frozen=True)
class Reader:
    """What texts are read with.

    Attributes:
        model, dictionaries: all dictionaries agree on whether BOS is prepended.
        shapes: how texts share the passes, and how they are encoded.
        choice: which tokens count.
        medians: the median norm at each site, where massive activations are left out.
    """

    model: Model
    dictionaries: Sequence[Dictionary]
    shapes: Shapes
    choice: TokenChoice
    medians: Mapping[Site, float]

    def read(self, texts: Sequence[TextTokens]) -> Iterator[ReadTexts]:
        """Read all texts through all dictionaries.

        Texts come in order of length within every `WINDOW` tokens, not in the order given;
        `ReadTexts.texts` says which they are. What is held at a time is one pass, of
        `shapes.budget` positions unless one text is longer.
        """
        bos = len(ids_in_front(self.model, self.dictionaries))
        for start, end in windows([len(text) for text in texts]):
            lengths = [[len(part) for part in text.parts] for text in texts[start:end]]
            for packed in pack(lengths, bos, self.shapes.budget, self.shapes.row):
                numbers = [start + text for text in packed.texts]
                yield self._read(packed, [texts[number] for number in numbers], numbers)

    def encode(self, dictionary: Dictionary, x: Tensor, ids: np.ndarray) -> EncodedTokens:
        """Encode the tokens that count: the site's values `x [tokens, d]`, token ids `[tokens]`."""
        norms = x.norm(dim=-1).cpu().numpy()
        special, massive = self.left_out(dictionary.site, norms, ids)
        left_out = special | massive
        if left_out.any():
            x = x[torch.from_numpy(~left_out).to(x.device)]
        matrix = encode(dictionary, x, self.shapes.encoding)
        return EncodedTokens(ids, special, massive, norms, matrix)

    def left_out(
        self, site: Site, norms: np.ndarray, ids: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which tokens do not count at a site: the special and the massive ones, `[tokens]` each.

        Args:
            norms: of the site's value at each token, `[tokens]`.
            ids: of the tokens.
        """
        special = self.choice.special_of(ids, self.model)
        return special, self.choice.massive_of(norms, self.medians.get(site)) & ~special

    def _read(
        self, packed: PackedTexts, texts: Sequence[TextTokens], numbers: Sequence[int]
    ) -> ReadTexts:
        ids = np.concatenate([text.ids for text in texts])
        encoded: dict[str, list[EncodedTokens]] = {d.name: [] for d in self.dictionaries}
        sites, bos_ids = _sites(self.dictionaries), ids_in_front(self.model, self.dictionaries)
        done = 0
        for values in read_values(self.model, sites, packed, texts, bos_ids):
            part = slice(done, done + len(values[sites[0]]))
            for dictionary in self.dictionaries:
                tokens = self.encode(dictionary, values[dictionary.site], ids[part])
                encoded[dictionary.name].append(tokens)
            done = part.stop
        lengths = np.array([len(text) for text in texts])
        return ReadTexts(
            tuple(numbers),
            sum(text.own_bos for text in texts),
            {n: EncodedTokens.joined(parts).of_texts(lengths) for n, parts in encoded.items()},
        )


def windows(tokens: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ranges of texts, of so many tokens each, that have at most `WINDOW`; or of one text."""
    start, held = 0, 0
    for i, count in enumerate(tokens):
        if held and held + count > WINDOW:
            yield start, i
            start, held = i, 0
        held += count
    if start < len(tokens):
        yield start, len(tokens)


def read_values(
    model: Model,
    sites: Sequence[Site],
    packed: PackedTexts,
    texts: Sequence[TextTokens],
    bos_ids: Sequence[int],
) -> Iterator[dict[Site, Tensor]]:
    """Pass by pass the sites' values at the real tokens of texts, `[tokens, d]` each.

    Args:
        packed: how the texts lie in the passes.
        texts: their tokens, in that order.
        bos_ids: what goes before each part and is not among the tokens: BOS, or nothing.
    """
    feed = iter([part for text in texts for part in text.parts])
    for one in packed.passes:
        parts = [next(feed) for line in one.rows for _ in line]
        tokens = place(one, parts, bos_ids)
        shared = any(len(line) > 1 for line in one.rows)
        ids, positions, line, column = (
            torch.from_numpy(array).to(model.device)
            for array in (tokens.ids, tokens.positions, tokens.line, tokens.column)
        )
        values = model.read(ids, sites, positions if shared else None)
        yield {site: values.pop(site)[line, column] for site in sites}


def first_values(
    model: Model,
    dictionaries: Sequence[Dictionary],
    texts: Sequence[TextTokens],
    shapes: Shapes,
    tokens: int,
) -> dict[Site, Tensor]:
    """The sites' values in some of the first texts, up to so many tokens each, `[tokens, d]`."""
    lengths = [[len(part) for part in text.parts] for text in texts[:tokens]]
    bos_ids = ids_in_front(model, dictionaries)
    packed = next(pack(lengths, len(bos_ids), 4 * tokens, shapes.row))
    mine = [texts[text] for text in packed.texts]
    seen = list(read_values(model, _sites(dictionaries), packed, mine, bos_ids))
    return {site: torch.cat([values[site] for values in seen]) for site in seen[0]}


def _sites(dictionaries: Sequence[Dictionary]) -> list[Site]:
    return list({dictionary.site for dictionary in dictionaries})
