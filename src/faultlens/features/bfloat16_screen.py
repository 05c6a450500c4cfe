"""Screening in bfloat16, for processors that multiply it quicker than float32.

A number is a sum of bfloat16 terms and a rest, `y = y₁ + δy`, `w = w₁ + δw`; in the few dimensions
M in which y is largest a second term of each is kept (`y₂`, `w₂`, 0 elsewhere), for there one
rounding would outweigh all else. What is multiplied is

    p = y₁·w₁ + y₂·w₁ + y₁·w₂ + (b + m·w − θ),

the last, the bias less the threshold, as three terms. It misses the pre-activation less θ by

    δy·w + (y₁ + y₂)·δw + y₂·w₂  ≤  ‖δy‖ ‖w‖ + ‖y_R‖ ‖δw_R‖ + ‖y_M‖ ‖δw_M‖ + ‖y₂‖ ‖w₂‖

(R: the other dimensions), its sum by `γ (‖y_R‖ ‖w‖ + ‖y_M‖ ‖w_M‖)`, and p is stored in bfloat16 to
within 2⁻⁷ of itself. What belongs to a feature is bounded by a multiple of ‖w‖ that holds for all
features, so that α holds it all, and β is 0.
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

TWICE = 14  # dimensions with two terms
ROUND = 32  # terms come in multiples of what the processor's instructions take


@dataclass(frozen=True, eq=False)
class Bfloat16Screen:
    """A `Screen` whose terms are bfloat16.

    Attributes:
        low: `w₁`, then `w₁` and `w₂` at `twice`, then the three of the bias; zeros up to a round
            number.
        mean: m, `[d_in]`.
        twice: the dimensions M.
        ratios: the largest over features, to `‖w‖`, of `‖δw_R‖`, `‖δw_M‖`, `‖w₂‖` and `‖w_M‖`.
    """

    low: Tensor
    mean: Tensor
    twice: Tensor
    features: FeatureBounds
    ratios: tuple[float, float, float, float]
    lost: float = 2.0**-7
    product: torch.dtype = torch.bfloat16

    @classmethod
    def of(cls, dictionary: Dictionary, seen: Tensor) -> Bfloat16Screen:
        """The screen of a dictionary; `seen` are prepared values `[tokens, d_in]`."""
        weights = dictionary.W_enc.detach()
        d_in, d_sae = weights.shape
        mean = seen.mean(dim=0)
        twice = (seen - mean).square().sum(0).topk(min(TWICE, d_in)).indices.sort().values
        n = len(twice)
        terms = -(-(d_in + 2 * n + 3) // ROUND) * ROUND
        low = torch.zeros((d_sae, terms), dtype=torch.bfloat16)
        norms, ratios = torch.empty(d_sae), torch.zeros(4)
        for part in parts(d_sae):
            norms[part], worst = _fill(low[part], weights.T[part], twice)
            ratios = torch.maximum(ratios, worst)
        rest = Rest.of(dictionary, mean, terms)
        left, slack = rest.value, rest.slack
        for i in range(3):
            low[:, d_in + 2 * n + i] = left.to(torch.bfloat16)
            left = left - low[:, d_in + 2 * n + i].double()
        upper = (slack + 2 * left.abs()).float().numpy()
        none, ones = np.zeros(d_sae, np.float32), np.ones(d_sae, np.float32)
        bounds = FeatureBounds(
            ones, norms.numpy() * OVER, none, upper, -upper, np.zeros((d_sae, 0), np.float32)
        )
        return cls(low, mean, twice, bounds, tuple((1.001 * ratios).tolist()))

    def terms(self, x: Tensor) -> tuple[Tensor, TokenBounds]:
        d_in, n = x.shape[1], len(self.twice)
        y = x - self.mean
        first = y.to(torch.bfloat16)
        rest = y - first.float()
        second = rest[:, self.twice].to(torch.bfloat16)
        terms = x.new_zeros((len(x), self.low.shape[1]), dtype=torch.bfloat16)
        terms[:, :d_in], terms[:, d_in : d_in + n] = first, second
        terms[:, d_in + n : d_in + 2 * n] = first[:, self.twice]
        terms[:, d_in + 2 * n : d_in + 2 * n + 3] = 1
        rest[:, self.twice] -= second.float()
        large, others = norm(y[:, self.twice]), norm(y.index_fill(1, self.twice, 0.0))
        of_rest, of_last, of_second, of_large = self.ratios
        alpha = norm(rest) + (1 + 2**-7) * (others * of_rest + large * of_last)
        alpha += norm(second.float()) * of_second
        alpha += 1.1 * gamma(self.low.shape[1]) * (others + large * of_large)
        alpha += gamma(d_in) * norm(x) + UNIT * (others + large)  # the sum that decides; x − m
        one, none = np.ones(len(x), np.float32), np.zeros(len(x), np.float32)
        apart = np.zeros((0, len(x)), np.float32)
        return terms, TokenBounds(one, alpha.numpy() * OVER, none, apart)

    def multiply(self, part: slice, terms: Tensor, out: Tensor) -> None:
        torch.mm(self.low[part], terms.T, out=out)


def _fill(low: Tensor, rows: Tensor, twice: Tensor) -> tuple[Tensor, Tensor]:
    """Write the terms of some features; their norms, and the worst of the four ratios."""
    d_in, n = rows.shape[1], len(twice)
    first = rows.to(torch.bfloat16)
    rest = rows - first.float()
    second = rest[:, twice].to(torch.bfloat16)
    low[:, :d_in], low[:, d_in : d_in + n] = first, first[:, twice]
    low[:, d_in + n : d_in + 2 * n] = second
    last = rest[:, twice] - second.float()
    rest[:, twice] = 0
    norms = norm(rows)
    of = torch.stack([norm(rest), norm(last), norm(second.float()), norm(rows[:, twice])])
    return norms, (of / norms.clamp(min=1e-30)).amax(dim=1)
