"""The choice between the two ways of encoding: made once for a lens, by trying both.

Loading compiled code takes half a second, compiling it some seconds, and where the processor has no
quick bfloat16 it gains nothing. So a lens encodes plainly until a reading is long enough for the
choice to matter; what the trial then says holds for all that the lens reads from there on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from torch import Tensor

from faultlens.features.plain_encoding import encode_plain
from faultlens.features.reading_config import AskedEncoding, Encoding
from faultlens.features.screen import Screen
from faultlens.features.screened_encoding import (
    TILE,
    can_screen,
    check_installed,
    encode_screened,
    installed,
)
from faultlens.models.dictionary import Dictionary, Relu
from faultlens.models.sites import Site

PATIENCE = 3e11  # floating-point operations of plain encoding before anything is tried: a second
TRIED = 128  # tokens that a trial of the two ways needs


class ChosenEncoding:
    """Which way a lens encodes; shared by the lenses that are made from it.

    Attributes:
        decided: the way that was chosen; None as long as no reading was long enough to choose.
    """

    def __init__(self) -> None:
        self.decided: Encoding | None = None

    def choose(
        self,
        asked: AskedEncoding,
        dictionaries: Sequence[Dictionary],
        tokens: int,
        first_values: Callable[[], Mapping[Site, Tensor]],
    ) -> Encoding:
        """The way to read so many tokens.

        Args:
            asked: what the user wants; `auto` decides, unless it was decided before.
            dictionaries: what is read through.
            tokens: of the reading.
            first_values: gives the sites' values in some of the first texts, `[tokens, d]`.

        Raises:
            UserError: `compiled` where the extra is missing.
        """
        if asked == "compiled":
            check_installed()
        if asked != "auto":
            return asked
        work = 2.0 * tokens * sum(dictionary.W_enc.numel() for dictionary in dictionaries)
        if self.decided is None and work >= PATIENCE:
            self.decided = _tried(dictionaries, first_values)
        return self.decided or "plain"


def _tried(
    dictionaries: Sequence[Dictionary], first_values: Callable[[], Mapping[Site, Tensor]]
) -> Encoding:
    able = [d for d in dictionaries if can_screen(d)] if installed() else []
    if not able:
        return "plain"
    seen = first_values()
    return "compiled" if all(is_quicker(d, seen[d.site]) for d in able) else "plain"


def is_quicker(dictionary: Dictionary, x: Tensor) -> bool:
    """Whether screening these values is quicker here than computing everything, and agrees.

    The first call of each compiles or warms it up and is not timed. Where the two disagree by more
    than rounding can do, the plain way is taken.
    """
    part = x[:TILE]
    plain, quick = encode_plain(dictionary, part), encode_screened(dictionary, part)
    if not agree(dictionary, part, plain, quick):
        return False
    seconds: dict[Any, list[float]] = {encode_plain: [], encode_screened: []}
    for way in (encode_plain, encode_screened) * 2:
        began = time.perf_counter()
        way(dictionary, part)
        seconds[way].append(time.perf_counter() - began)
    return min(seconds[encode_screened]) < 0.9 * min(seconds[encode_plain])


def agree(dictionary: Dictionary, x: Tensor, one: csr_matrix, other: csr_matrix) -> bool:
    """Whether two encodings differ by rounding alone: less than 1e-5 of `‖x‖ · ‖w‖ + |b|`.

    A feature at its threshold may fire in one of them alone. Few do, and where an activation jumps
    at its threshold the difference is as large as the jump.
    """
    prepared = dictionary.prepare(x)
    screen = Screen.of(dictionary, prepared)
    apart: Any = (one > 0) != (other > 0)
    difference = csr_matrix(abs(one - other))
    if not isinstance(dictionary.activation, Relu):
        difference = difference - difference.multiply(apart)
    cells = csr_matrix(difference).tocoo()
    scale = prepared.norm(dim=-1).numpy()[cells.row] * screen.norms[cells.col]
    scale += np.abs(screen.bias)[cells.col]
    return bool((cells.data <= 1e-5 * scale).all() and apart.nnz <= max(2, 1e-3 * one.nnz))


def renew_screens(
    dictionaries: Sequence[Dictionary], first_values: Callable[[], Mapping[Site, Tensor]]
) -> None:
    """Make the screens from these values, whatever was read before.

    They decide which tiles are computed whole, and so the last bits.
    """
    seen = first_values()
    for dictionary in dictionaries:
        if can_screen(dictionary):
            Screen.renew(dictionary, dictionary.prepare(seen[dictionary.site]))
