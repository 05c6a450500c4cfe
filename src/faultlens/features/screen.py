"""Screening: low precision says what cannot fire, float32 says what does.

Values are taken relative to a mean m that tokens have in common, `y = x − m`, so that
`x·w + b = y·w + (b + m·w)`. A number is a sum of bfloat16 terms and a rest, `y = y₁ + δy`,
`w = w₁ + δw`; in the few dimensions M in which y is largest a second term of each is kept (`y₂`,
`w₂`, 0 elsewhere), for there one rounding would outweigh all else. What is multiplied is

    p = y₁·w₁ + y₂·w₁ + y₁·w₂ + (b + m·w − θ),

the last, the bias less the threshold, as three terms. It misses the pre-activation less θ by

    δy·w + (y₁ + y₂)·δw + y₂·w₂  ≤  ‖δy‖ ‖w‖ + ‖y_R‖ ‖δw_R‖ + ‖y_M‖ ‖δw_M‖ + ‖y₂‖ ‖w₂‖

(Cauchy–Schwarz; R: the other dimensions). Sums are in float32, whatever the order, to within
`γ Σ|yᵢ wᵢ| ≤ γ (‖y_R‖ ‖w‖ + ‖y_M‖ ‖w_M‖)`, γ = n u / (1 − n u) (Higham 2002, section 3.1; u = 2⁻²³
allows for sums that are cut off, not rounded); so are those of x in the float32 pre-activation that
decides. p is stored in bfloat16 to within 2⁻⁷ of itself. What belongs to a feature is bounded by a
multiple of ‖w‖ that holds for all features, so that the bound is `α(token) ‖w‖ + slack(feature)`.

A feature whose p falls below 0 by more than that does not fire. Every other is computed in float32.
So the firing set is the one that float32 finds, and so are the values. (m and M come from the first
values seen: they decide how much is computed, not what is found.)
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from faultlens.models.dictionary import Dictionary, JumpRelu

TWICE = 14  # dimensions with two terms
ROUND = 32  # terms come in multiples of what the processor's instructions take
UNIT = 2.0**-23
OVER = np.float32(1.0001)  # for norms that were summed in float32 themselves


@dataclass(frozen=True, eq=False)
class Screen:
    """What screening needs of a dictionary beside its weights.

    Attributes:
        low: the encoder's terms in bfloat16, `[terms, d_sae]`: `w₁`, then `w₁` and `w₂` at `twice`,
            then the three of the bias; zeros up to a round number.
        mean: m, `[d_in]`.
        twice: the dimensions M.
        rows: the encoder in float32, a feature a row, `[d_sae, d_in]`; shares the dictionary's.
        norms: an upper bound of each feature's `‖w‖`.
        slack: what rounding of the bias can do.
        floor: θ, what a pre-activation must exceed, `[d_sae]`; of TopK it is 0.
        ratios: the largest over features, to `‖w‖`, of `‖δw_R‖`, `‖δw_M‖`, `‖w₂‖` and `‖w_M‖`.
    """

    low: Tensor
    mean: Tensor
    twice: Tensor
    rows: np.ndarray
    bias: np.ndarray
    norms: np.ndarray
    slack: np.ndarray
    floor: np.ndarray
    ratios: tuple[float, float, float, float]

    @classmethod
    def of(cls, dictionary: Dictionary, seen: Tensor) -> Screen:
        """The screen of a dictionary, made once; `seen` are prepared values `[tokens, d_in]`."""
        if dictionary not in _SCREENS:
            _SCREENS[dictionary] = cls._made(dictionary, seen)
        return _SCREENS[dictionary]

    @classmethod
    def renew(cls, dictionary: Dictionary, seen: Tensor) -> None:
        """Make it again from these values."""
        _SCREENS[dictionary] = cls._made(dictionary, seen)

    @classmethod
    def _made(cls, dictionary: Dictionary, seen: Tensor) -> Screen:
        weights, bias = dictionary.W_enc.detach(), dictionary.b_enc.detach()
        d_in, d_sae = weights.shape
        mean = seen.mean(dim=0)
        twice = (seen - mean).square().sum(0).topk(min(TWICE, d_in)).indices.sort().values
        floor = torch.zeros_like(bias)
        if isinstance(dictionary.activation, JumpRelu):
            floor = dictionary.activation.threshold.detach().float().clamp(min=0).expand(d_sae)
        terms = -(-(d_in + 2 * len(twice) + 3) // ROUND) * ROUND
        # Stored a feature a row, as the float32 encoder is.
        low = torch.zeros((d_sae, terms), dtype=torch.bfloat16).T
        norms, ratios = torch.empty(d_sae), torch.zeros(4)
        rest = (bias - floor).double()
        for start in range(0, d_sae, 1024):  # never a second encoder at a time
            part = slice(start, start + 1024)
            norms[part], worst = _fill(low[:, part], weights[:, part], twice)
            rest[part] += mean.double() @ weights[:, part].double()
            ratios = torch.maximum(ratios, worst)
        of_bias = 2 * gamma(terms) * (bias.abs() + floor + rest.abs())
        for i in range(3):
            term = rest.to(torch.bfloat16)
            low[d_in + 2 * len(twice) + i] = term
            rest = rest - term.double()
        of_bias += 2 * rest.abs()
        return cls(
            low=low,
            mean=mean,
            twice=twice,
            rows=weights.T.numpy(),
            bias=bias.numpy(),
            norms=norms.numpy() * OVER,
            slack=of_bias.float().numpy(),
            floor=floor.contiguous().numpy(),
            ratios=tuple((1.001 * ratios).tolist()),
        )


def _fill(low: Tensor, weights: Tensor, twice: Tensor) -> tuple[Tensor, Tensor]:
    """Write the terms of some features; their norms, and the worst of the four ratios."""
    d_in, n = len(weights), len(twice)
    first = weights.to(torch.bfloat16)
    rest = weights - first.float()
    second = rest[twice].to(torch.bfloat16)
    low[:d_in], low[d_in : d_in + n], low[d_in + n : d_in + 2 * n] = first, first[twice], second
    last = rest[twice] - second.float()
    rest[twice] = 0
    norms = weights.norm(dim=0)
    parts = torch.stack(
        [rest.norm(dim=0), last.norm(dim=0), second.float().norm(dim=0), weights[twice].norm(dim=0)]
    )
    return norms, (parts / norms.clamp(min=1e-30)).amax(dim=1)


def gamma(terms: int) -> float:
    """What summing so many products in float32 can lose of the sum of their sizes."""
    return terms * UNIT / (1 - terms * UNIT)


_SCREENS: WeakKeyDictionary[Dictionary, Screen] = WeakKeyDictionary()


def low_terms(screen: Screen, x: Tensor) -> tuple[Tensor, np.ndarray]:
    """The terms of prepared values that go with `screen.low`, and α of each token.

    Returns:
        bfloat16 `[tokens, terms]`, and float32 `[tokens]`.
    """
    d_in, n = x.shape[1], len(screen.twice)
    y = x - screen.mean
    first = y.to(torch.bfloat16)
    rest = y - first.float()
    second = rest[:, screen.twice].to(torch.bfloat16)
    terms = x.new_zeros((len(x), len(screen.low)), dtype=torch.bfloat16)
    terms[:, :d_in], terms[:, d_in : d_in + n] = first, second
    terms[:, d_in + n : d_in + 2 * n] = first[:, screen.twice]
    terms[:, d_in + 2 * n : d_in + 2 * n + 3] = 1
    rest[:, screen.twice] -= second.float()
    large, whole = y[:, screen.twice].norm(dim=-1), x.norm(dim=-1)
    others = y.index_fill(1, screen.twice, 0.0).norm(dim=-1)
    of_rest, of_last, of_second, of_large = screen.ratios
    alpha = rest.norm(dim=-1) + (1 + 2**-7) * (others * of_rest + large * of_last)
    alpha += second.float().norm(dim=-1) * of_second
    alpha += 1.1 * gamma(len(screen.low)) * (others + large * of_large)
    alpha += gamma(d_in) * whole + UNIT * (others + large)  # the sum that decides; x − m itself
    return terms, (alpha * float(OVER)).numpy()
