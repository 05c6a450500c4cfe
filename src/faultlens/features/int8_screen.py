"""Screening in int8, for processors that multiply it quicker than anything else (VNNI).

In the few dimensions M in which y is far larger than in the others, it is multiplied in float32. In
the others, R, each token has a scale s and each feature a scale r of its own, such that the largest
value becomes 127: `y_R = s q + δy` and `w_R = r u + δw`, q and u whole numbers from −127 to 127.
What is multiplied is `q·u`, exactly, in int32; then

    p = s r (q·u) + y_M·w_M + (b + m·w − θ)

misses the pre-activation less θ by

    δy·w_R + s q·δw  ≤  ‖δy‖ ‖w‖ + ‖s q‖ ‖δw‖.

Roundings are at most half a step, `‖δy‖ ≤ s √d / 2`, but their own norms are what is taken: about
0.008 of ‖y‖, five times those of bfloat16, so that twice as many features are left to be computed
in float32. What evaluating p in float32 can lose goes into α, β and the slack. All of a feature is
held in units of r.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from faultlens.features.screen import (
    OVER,
    UNIT,
    FeatureBounds,
    Rest,
    TokenBounds,
    gamma,
    norm,
    parts,
)
from faultlens.models.dictionary import Dictionary

LARGEST = 127
APART = 16  # dimensions that are multiplied in float32, at most
FAR = 3.0  # times the median over dimensions that a value's size there must be for that
TINY = 1e-18  # the least scale: below it quotients could overflow
SMALL = 1e-12  # the least scale of a feature against its norm, for the same reason
EVALUATION = 16 * UNIT  # of the sizes of its terms, what the few roundings of p can lose


def available() -> bool:
    """Whether this PyTorch multiplies int8 on a processor."""
    return hasattr(torch, "_int_mm")


@dataclass(frozen=True, eq=False)
class Int8Screen:
    """A `Screen` whose terms are int8.

    Attributes:
        low: u, 0 in the dimensions M.
        mean: m, `[d_in]`.
        apart: the dimensions M.
    """

    low: Tensor
    mean: Tensor
    apart: Tensor
    features: FeatureBounds
    lost: float = 0.0
    product: torch.dtype = torch.int32

    @classmethod
    def of(cls, dictionary: Dictionary, seen: Tensor) -> Int8Screen:
        """The screen of a dictionary; `seen` are prepared values `[tokens, d_in]`."""
        rows = dictionary.W_enc.detach().T
        d_sae, d_in = rows.shape
        mean = seen.mean(dim=0)
        apart = _far(seen - mean)
        low = torch.empty((d_sae, d_in), dtype=torch.int8)
        unit, norms, rests = torch.empty(d_sae), torch.empty(d_sae), torch.empty(d_sae)
        for part in parts(d_sae):
            own = rows[part].index_fill(1, apart, 0.0)
            norms[part] = norm(rows[part])
            least = (SMALL * norms[part]).clamp(min=TINY)
            unit[part] = torch.maximum(own.abs().amax(dim=1) / LARGEST, least)
            low[part], kept = _rounded(own, unit[part])
            rests[part] = norm(own - kept) + 2 * UNIT * norms[part]
        rest = Rest.of(dictionary, mean, d_in + 8)
        slack = rest.slack + EVALUATION * rest.value.abs()
        of_features = FeatureBounds(
            unit.numpy(),
            (norms / unit).numpy() * OVER,
            (rests / unit).numpy() * OVER,
            ((rest.value + slack) / unit.double()).float().numpy(),
            ((rest.value - slack) / unit.double()).float().numpy(),
            (rows[:, apart] / unit[:, None]).contiguous().numpy(),
        )
        return cls(low, mean, apart, of_features)

    def terms(self, x: Tensor) -> tuple[Tensor, TokenBounds]:
        from faultlens.features import compiled

        y = x - self.mean
        apart, size = y[:, self.apart], norm(y).numpy()
        y[:, self.apart] = 0
        low = torch.empty(x.shape, dtype=torch.int8)
        scale = np.empty(len(x), np.float32)
        kept, lost = compiled.whole(y.numpy(), low.numpy(), scale, LARGEST, np.float32(TINY))
        kept *= scale
        alpha = lost * scale + gamma(x.shape[1] + 2) * norm(x).numpy()  # and the sum that decides
        # What rounds: x − m, y / s; the terms of p; those in M, summed one by one.
        in_apart = 2 * (1 + len(self.apart)) * norm(apart).numpy()
        alpha += 4 * UNIT * size + EVALUATION * (kept + in_apart) + np.float32(TINY * TINY)
        bounds = TokenBounds(
            scale,
            (alpha * OVER).astype(np.float32),
            (kept * (OVER + np.float32(EVALUATION))).astype(np.float32),
            apart.T.contiguous().numpy(),
        )
        return low, bounds

    def multiply(self, part: slice, terms: Tensor, out: Tensor) -> None:
        torch._int_mm(self.low[part], terms.T, out=out)


def _far(y: Tensor) -> Tensor:
    """The dimensions in which values `[tokens, d_in]` are far larger than in most, ascending."""
    sizes = y.square().mean(dim=0).sqrt()
    far = (sizes > FAR * sizes.median()).nonzero().ravel()
    return far[sizes[far].argsort(descending=True)[:APART]].sort().values


def _rounded(values: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Rows in whole multiples of their scale: the multiples, int8, and what they stand for."""
    whole = (values / scale[:, None]).round_().clamp_(-LARGEST, LARGEST)
    return whole.to(torch.int8), whole * scale[:, None]
