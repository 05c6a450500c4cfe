"""Screened encoding: compiled code computes in float32 only what the screen lets through."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from faultlens.errors import UserError
from faultlens.features.plain_encoding import cannot_overflow, encode_plain
from faultlens.features.screen import Screen, low_terms
from faultlens.models.dictionary import Dictionary, JumpRelu, Relu, TopK

TILE = 512  # tokens whose low-precision products are held at once, at most
CELLS = 512 * 24_576  # products held at once: 25 MB
DENSE = 1 / 32  # share of a tile's features from which on computing all of them is quicker


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
def encode_screened(dictionary: Dictionary, x: Tensor) -> csr_matrix:
    """Activations `[tokens, d_sae]`; a tile in which too much may fire is computed whole."""
    if not len(x):
        return encode_plain(dictionary, x)
    size = max(1, min(TILE, CELLS // dictionary.d_sae))
    low = torch.empty((min(size, len(x)), dictionary.d_sae), dtype=torch.bfloat16)
    counts = np.zeros(len(x) + 1, dtype=np.int64)
    columns: list[np.ndarray] = []
    values: list[np.ndarray] = []
    for start in range(0, len(x), size):
        part = x[start : start + size]
        prepared, fired = dictionary.prepare(part), None
        if cannot_overflow(dictionary, prepared):
            fired = _tile(dictionary, prepared, low[: len(part)])
        if fired is None:
            whole = encode_plain(dictionary, part)
            fired = np.diff(whole.indptr), [whole.indices], [whole.data]
        counts[start + 1 : start + 1 + len(part)] = fired[0]
        columns += fired[1]
        values += fired[2]
    return csr_matrix(
        (np.concatenate(values), np.concatenate(columns), np.cumsum(counts)),
        shape=(len(x), dictionary.d_sae),
    )


Fired = tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]  # counts, columns, values


def _tile(dictionary: Dictionary, x: Tensor, low: Tensor) -> Fired | None:
    """The firings of a tile of prepared values; None where screening it does not pay."""
    screen = Screen.of(dictionary, x)
    terms, alpha = low_terms(screen, x)
    torch.mm(terms, screen.low, out=low)
    counts = np.zeros(len(x), dtype=np.int64)
    loop = _loop(dictionary, screen, low.view(torch.uint16).numpy(), x.contiguous().numpy(), alpha)
    threads = max(1, min(torch.get_num_threads(), len(x) // 8))
    edges = np.linspace(0, len(x), threads + 1).astype(int)
    ranges = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))

    def run(limits: tuple[int, int]) -> tuple[int, np.ndarray, np.ndarray]:
        most = max(64, int(DENSE * (limits[1] - limits[0]) * dictionary.d_sae))
        columns, values = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.float32)
        return loop(*limits, most, counts, columns, values), columns, values

    if threads == 1:
        parts = [run(ranges[0])]
    else:
        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(run, ranges))
    if any(n < 0 for n, _, _ in parts):
        return None
    return counts, [c[:n].copy() for n, c, _ in parts], [v[:n].copy() for n, _, v in parts]


def _loop(
    dictionary: Dictionary, screen: Screen, low: np.ndarray, x: np.ndarray, alpha: np.ndarray
) -> Callable[..., int]:
    """The compiled loop over a tile, up to the range of tokens."""
    from faultlens.features import compiled

    bound = (screen.norms, screen.slack, alpha)
    if isinstance(dictionary.activation, TopK):
        k = dictionary.activation.k
        return partial(compiled.largest, low, x, screen.rows, screen.bias, k, *bound)
    return partial(compiled.above, low, x, screen.rows, screen.bias, screen.floor, *bound)
