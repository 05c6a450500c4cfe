"""Screened encoding: compiled code computes in float32 only what the screen lets through.

A tile of tokens meets the encoder a block of features at a time, so that products in low precision
are looked at while they are near the processor, and a feature's weights are read once for the tile.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from faultlens.errors import UserError
from faultlens.features.plain_encoding import cannot_overflow, encode_plain
from faultlens.features.reading_config import LowPrecision
from faultlens.features.screen import Screen, TokenBounds, floor_of
from faultlens.features.screens import screen_of
from faultlens.models.dictionary import Dictionary, JumpRelu, Relu, TopK

TILE = 1024  # tokens that meet a block of features together, at most
BLOCK = 2048  # features of a block
CELLS = 512 * 24_576  # products that are held where all of a token's are needed at once: TopK
DENSE = 1 / 8  # share of a block's pre-activations from which on computing all is quicker
VAST = 1e15  # values from which on a screen's own arithmetic could overflow

Fired = tuple[np.ndarray, np.ndarray, np.ndarray]  # features, tokens, values


def installed() -> bool:
    """Whether the extra `fast` is there."""
    return importlib.util.find_spec("numba") is not None


def can_screen(dictionary: Dictionary) -> bool:
    """Whether a dictionary, where it lies, can be encoded this way."""
    activation = dictionary.activation
    if isinstance(activation, TopK):
        from faultlens.features.compiled import PEAK

        if activation.k > dictionary.d_sae // PEAK:
            return False
    elif not isinstance(activation, Relu | JumpRelu):
        return False
    return dictionary.encoder is None and dictionary.W_enc.device.type == "cpu"


def check_installed() -> None:
    """Raises UserError, with what to install, where the extra `fast` is missing."""
    if not installed():
        raise UserError(
            "the compiled encoding needs Numba, which is not installed: pip install "
            "'faultlens[fast]', or choose the plain encoding"
        )


@torch.no_grad()
def encode_screened(dictionary: Dictionary, x: Tensor, precision: LowPrecision) -> csr_matrix:
    """Activations `[tokens, d_sae]`; a tile in which too much may fire is computed whole."""
    if not len(x):
        return encode_plain(dictionary, x)
    size = _tile_size(dictionary, len(x))
    tiles: list[csr_matrix] = []
    for start in range(0, len(x), size):
        part = x[start : start + size]
        prepared, fired = dictionary.prepare(part), None
        if cannot_overflow(dictionary, prepared) and float(prepared.abs().max()) < VAST:
            screen = screen_of(dictionary, precision, prepared)
            fired = _Tile(dictionary, screen, prepared).encoded()
        tiles.append(encode_plain(dictionary, part) if fired is None else fired)
    return _stacked(tiles)


def _tile_size(dictionary: Dictionary, tokens: int) -> int:
    """Tokens of a tile; tiles are of one size but for the last."""
    most = TILE
    if isinstance(dictionary.activation, TopK):
        most = min(most, max(1, CELLS // dictionary.d_sae))
    return -(-tokens // -(-tokens // most))


def _stacked(tiles: list[csr_matrix]) -> csr_matrix:
    if len(tiles) == 1:
        return tiles[0]
    ends = np.cumsum([0, *(tile.nnz for tile in tiles)])
    indptr = [tile.indptr[1:] + end for tile, end in zip(tiles, ends[:-1], strict=True)]
    return csr_matrix(
        (
            np.concatenate([tile.data for tile in tiles]),
            np.concatenate([tile.indices for tile in tiles]),
            np.concatenate([[0], *indptr]),
        ),
        shape=(sum(tile.shape[0] for tile in tiles), tiles[0].shape[1]),
    )


Block = tuple[slice, np.ndarray]  # features, and their products with all tokens, as `compiled` says


@dataclass(frozen=True, eq=False)
class _Tile:
    """Some tokens' prepared values `x [tokens, d_in]`, and what they are encoded with."""

    dictionary: Dictionary
    screen: Screen
    x: Tensor

    def encoded(self) -> csr_matrix | None:
        """The firings `[tokens, d_sae]`; None where screening does not pay."""
        from faultlens.features import compiled

        terms, bounds = self.screen.terms(self.x)
        activation, tokens = self.dictionary.activation, len(self.x)
        least, blocks = np.zeros(tokens, np.float32), self._blocks(terms)
        k = activation.k if isinstance(activation, TopK) else None
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            if k is not None:
                held = list(self._blocks(terms, held=True))
                least, blocks = self._reached(k, bounds, held, pool), iter(held)
            fired = self._fired(blocks, bounds, least, pool)
        if fired is None:
            return None
        feature, token, value = fired
        counts, columns, values = np.zeros(tokens, np.int64), feature.copy(), value.copy()
        compiled.by_token(feature, token, value, counts, columns, values)
        if k is not None:
            kept = compiled.largest(counts, columns, values, k)
            columns, values = columns[:kept], values[:kept]
        indptr = np.concatenate([[0], np.cumsum(counts)])
        return csr_matrix((values, columns, indptr), shape=(tokens, self.dictionary.d_sae))

    def _blocks(self, terms: Tensor, held: bool = False) -> Iterator[Block]:
        """Block after block; unless all are to be `held`, each is written over the one before."""
        d_sae = self.dictionary.d_sae
        room = (d_sae if held else min(BLOCK, d_sae), len(self.x))
        out = torch.empty(room, dtype=self.screen.product)
        for first in range(0, d_sae, BLOCK):
            part = slice(first, min(first + BLOCK, d_sae))
            low = out[part] if held else out[: part.stop - part.start]
            self.screen.multiply(part, terms, low)
            bits = low.view(torch.uint16) if low.dtype == torch.bfloat16 else low
            yield part, bits.numpy()

    def _reached(
        self, k: int, bounds: TokenBounds, blocks: list[Block], pool: ThreadPoolExecutor
    ) -> np.ndarray:
        """What at least k pre-activations of each token reach, or 0, `[tokens]`.

        k features have a lower bound of at least the k-th largest of the groups' largest; so none
        whose upper bound is below it can be among the k largest.
        """
        from faultlens.features import compiled

        groups = -(-self.dictionary.d_sae // compiled.PEAK)
        peaks = np.full((groups, len(self.x)), -np.inf, np.float32)
        lost, features = np.float32(self.screen.lost), self.screen.features

        def run(share: Block) -> None:
            part, low = share
            compiled.peaks(low, lost, bounds, features, part.start, part.stop, peaks)

        for block in blocks:
            _mapped(run, block, pool)
        largest = np.partition(peaks, groups - k, axis=0)[groups - k]
        reached: np.ndarray = np.maximum(largest, 0) * np.float32(1 - 2**-20)  # rounded so far
        return reached

    def _fired(
        self,
        blocks: Iterator[Block],
        bounds: TokenBounds,
        least: np.ndarray,
        pool: ThreadPoolExecutor,
    ) -> Fired | None:
        """What fires, feature by feature; None where more than `DENSE` had to be computed."""
        from faultlens.features import compiled

        dictionary, screen = self.dictionary, self.screen
        exact = compiled.Exact(
            self.x.contiguous().numpy(),
            dictionary.W_enc.detach().T.numpy(),
            dictionary.b_enc.detach().numpy(),
            floor_of(dictionary).numpy(),
        )

        def run(share: Block) -> Fired | None:
            part, low = share
            most = max(64, int(DENSE * low.size))
            feature, token = np.empty(most, np.int32), np.empty(most, np.int32)
            value = np.empty(most, np.float32)
            n = compiled.above(
                low, np.float32(screen.lost), bounds, screen.features, least, exact,
                part.start, part.stop, feature, token, value,
            )  # fmt: skip
            return None if n < 0 else (feature[:n].copy(), token[:n].copy(), value[:n].copy())

        found: list[Fired] = []
        for block in blocks:
            for fired in _mapped(run, block, pool):
                if fired is None:
                    return None
                found.append(fired)
        feature, token, value = (np.concatenate(of) for of in zip(*found, strict=True))
        return feature, token, value


def _mapped(run: Callable[[Block], Any], block: Block, pool: ThreadPoolExecutor) -> list[Any]:
    """What `run` makes of each thread's share of a block, in order."""
    shares = _shares(block)
    return [run(shares[0])] if len(shares) == 1 else list(pool.map(run, shares))


def _shares(block: Block) -> list[Block]:
    """A block in as many parts as there are threads, each of whole groups of features."""
    from faultlens.features.compiled import PEAK

    part, low = block
    size = max(PEAK, -(-len(low) // (torch.get_num_threads() * PEAK)) * PEAK)
    return [
        (slice(part.start + at, min(part.start + at + size, part.stop)), low[at : at + size])
        for at in range(0, len(low), size)
    ]
