"""The choice between the ways of encoding: made once for a lens, by trying them.

Loading compiled code takes half a second, compiling it some seconds, and which precision pays to
screen in depends on the processor and on how many features are near their thresholds. So a lens
encodes plainly until a reading is long enough for the choice to matter; what the trial then says
holds for all that the lens reads from there on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from faultlens.features import int8_screen
from faultlens.features.encode import encode
from faultlens.features.reading_config import PLAIN, AskedEncoding, Encoding, LowPrecision
from faultlens.features.screened_encoding import can_screen, check_installed, installed
from faultlens.features.screens import keep_only, renew_screen
from faultlens.models.dictionary import Dictionary, Relu
from faultlens.models.sites import Site

PATIENCE = 3e11  # floating-point operations of plain encoding before anything is tried: a second
TRIED = 128  # tokens that a trial needs
MOST = 512  # that it takes
GAIN = 0.9  # of the plain way's time that another may take to be chosen

Seconds = Mapping[Encoding, float]


class ChosenEncoding:
    """Which way a lens encodes; shared by the lenses that are made from it.

    Attributes:
        seconds: what each way took in the trial; None as long as there was none.
    """

    def __init__(self) -> None:
        self.seconds: Seconds | None = None

    def choose(
        self,
        asked: AskedEncoding,
        dictionaries: Sequence[Dictionary],
        tokens: int,
        first_values: Callable[[], Mapping[Site, Tensor]],
    ) -> Encoding:
        """The way to read so many tokens.

        Args:
            asked: what the user wants; `compiled` leaves the precision to the trial, `auto`
                everything, unless the reading is short and there was no trial yet.
            dictionaries: what is read through.
            tokens: of the reading.
            first_values: gives the sites' values in some of the first texts, `[tokens, d]`.

        Raises:
            UserError: `compiled` where the extra is missing.
        """
        if asked == "plain":
            return "plain"
        if asked == "compiled":
            check_installed()
        work = 2.0 * tokens * sum(dictionary.W_enc.numel() for dictionary in dictionaries)
        able = [d for d in dictionaries if can_screen(d)] if installed() else []
        if self.seconds is None and able and (asked == "compiled" or work >= PATIENCE):
            self.seconds = tried(able, first_values())
            for dictionary in able:
                keep_only(dictionary, _quickest(self.seconds, asked))
        return _quickest(self.seconds or {}, asked)


def _quickest(seconds: Seconds, asked: AskedEncoding) -> Encoding:
    """What the trial says; the plain way unless another gains by it, or is asked for."""
    plain = math.inf if asked == "compiled" else GAIN * seconds.get(PLAIN, 0.0)
    return min(seconds, key=lambda way: plain if way == PLAIN else seconds[way], default=PLAIN)


def tried(dictionaries: Sequence[Dictionary], seen: Mapping[Site, Tensor]) -> Seconds:
    """Seconds of each way over these values, for all dictionaries together.

    The first call of each compiles or warms it up and is not timed. A way that disagrees with the
    plain one by more than rounding can do is left out, and so is int8 where PyTorch lacks it.
    """
    values = {d: seen[d.site][:MOST] for d in dictionaries}
    plain = {d: encode(d, x) for d, x in values.items()}
    ways: list[Encoding] = ["plain"]
    for screened in precisions():
        if all(agree(d, x, plain[d], encode(d, x, screened)) for d, x in values.items()):
            ways.append(screened)
    seconds: dict[Encoding, float] = {}
    for way in ways * 2:
        if seconds.get(way, 0) > 2 * min(seconds.values(), default=math.inf):
            continue  # it will not be chosen
        began = time.perf_counter()
        for dictionary, x in values.items():
            encode(dictionary, x, way)
        seconds[way] = min(seconds.get(way, math.inf), time.perf_counter() - began)
    return seconds


def precisions() -> list[LowPrecision]:
    """In which screens can be had here."""
    every: tuple[LowPrecision, ...] = get_args(LowPrecision)
    return [one for one in every if one != "int8" or int8_screen.available()]


@torch.no_grad()
def agree(dictionary: Dictionary, x: Tensor, one: csr_matrix, other: csr_matrix) -> bool:
    """Whether two encodings differ by rounding alone: less than 1e-5 of `‖x‖ · ‖w‖ + |b|`.

    A feature at its threshold may fire in one of them alone. Few do, and where an activation jumps
    at its threshold the difference is as large as the jump.
    """
    prepared = dictionary.prepare(x)
    apart: Any = (one > 0) != (other > 0)
    difference = csr_matrix(abs(one - other))
    if not isinstance(dictionary.activation, Relu):
        difference = difference - difference.multiply(apart)
    cells = csr_matrix(difference).tocoo()
    norms = dictionary.W_enc.norm(dim=0).numpy()
    scale = prepared.norm(dim=-1).numpy()[cells.row] * norms[cells.col]
    scale += np.abs(dictionary.b_enc.detach().numpy())[cells.col]
    return bool((cells.data <= 1e-5 * scale).all() and apart.nnz <= max(2, 1e-3 * one.nnz))


def renew_screens(
    dictionaries: Sequence[Dictionary],
    precision: LowPrecision,
    first_values: Callable[[], Mapping[Site, Tensor]],
) -> None:
    """Make the screens from these values, whatever was read before.

    They decide which tiles are computed whole, and so the last bits.
    """
    seen = first_values()
    for dictionary in dictionaries:
        if can_screen(dictionary):
            renew_screen(dictionary, precision, dictionary.prepare(seen[dictionary.site]))
