"""Screening: low precision says what cannot fire, float32 says what does.

Values are taken relative to a mean m that tokens have in common, `y = x − m`, so that
`x·w + b = y·w + (b + m·w)`. What is multiplied in low precision misses `y·w` by no more than norms
of what rounding took from the one times norms of the other (Cauchy–Schwarz). Sums in float32 are
right, whatever their order, to within `γ Σ|xᵢ wᵢ| ≤ γ ‖x‖ ‖w‖`, γ = n u / (1 − n u) (Higham 2002,
section 3.1; u = 2⁻²³ allows for sums that are cut off, not rounded); so is the float32
pre-activation that decides. Together that is one bound,
`α(token) norm(feature) + β(token) rest(feature) + slack(feature)`; `bfloat16_screen` and
`int8_screen` say what each takes as terms, and what it misses.

A feature that falls short of its threshold by more than the bound does not fire. Every other is
computed in float32. So the firing set is the one that float32 finds, and so are the values,
whichever the screen. (m, and the dimensions that a screen treats by themselves, come from the first
values seen: they decide how much is computed, not what is found.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from faultlens.models.dictionary import Dictionary, JumpRelu

Floats = np.ndarray  # float32

UNIT = 2.0**-23
OVER = np.float32(1.0001)  # for norms that were summed in float32 themselves
FEATURES = 1024  # whose weights are prepared at a time: never a second encoder in float32


class TokenBounds(NamedTuple):
    """What belongs to a token, float32 `[tokens]`.

    Attributes:
        scale: what a product is multiplied by.
        alpha, beta: the error's multiples of a feature's `norms` and `rests`.
        apart: values in the dimensions that are multiplied in float32, `[dimensions, tokens]`.
    """

    scale: Floats
    alpha: Floats
    beta: Floats
    apart: Floats


class FeatureBounds(NamedTuple):
    """What belongs to a feature, float32 `[d_sae]`; all but `unit` are in units of that.

    Attributes:
        unit: what a product of the feature is multiplied by in the end.
        norms, rests: how the error grows with a token's `alpha` and `beta`.
        upper, lower: what a pre-activation less its threshold is beyond the product, at most and at
            least.
        apart: weights in the dimensions that are multiplied in float32, `[d_sae, dimensions]`.
    """

    unit: Floats
    norms: Floats
    rests: Floats
    upper: Floats
    lower: Floats
    apart: Floats


class Screen(Protocol):
    """What screening needs of a dictionary beside its weights.

    Attributes:
        low: the encoder's terms in low precision, a feature a row, `[d_sae, terms]`.
        lost: of itself that a product may lose when it is stored.
        features: the bound's part that belongs to features.
        product: the type of what `multiply` gives: bits of bfloat16 as uint16, or int32.
    """

    @property
    def low(self) -> Tensor: ...
    @property
    def lost(self) -> float: ...
    @property
    def features(self) -> FeatureBounds: ...
    @property
    def product(self) -> torch.dtype: ...

    def terms(self, x: Tensor) -> tuple[Tensor, TokenBounds]:
        """Prepared values `[tokens, d_in]` as terms that go with `low`, `[tokens, terms]`."""
        ...

    def multiply(self, part: slice, terms: Tensor, out: Tensor) -> None:
        """The products of some features with all tokens, into `out [features, tokens]`."""
        ...


@dataclass(frozen=True, eq=False)
class Rest:
    """What a pre-activation less its threshold is beyond `y·w`: `b + m·w − θ`, in float64.

    Attributes:
        value: of each feature, `[d_sae]`.
        slack: what sums that it is part of can lose in float32.
    """

    value: Tensor
    slack: Tensor

    @classmethod
    def of(cls, dictionary: Dictionary, mean: Tensor, terms: int) -> Rest:
        """Of a dictionary, where sums have at most so many terms."""
        bias, floor = dictionary.b_enc.detach(), floor_of(dictionary)
        value = (bias - floor).double()
        for part in parts(dictionary.d_sae):
            value[part] += mean.double() @ dictionary.W_enc[:, part].detach().double()
        return cls(value, 2 * gamma(terms) * (bias.abs() + floor + value.abs()).double())


def floor_of(dictionary: Dictionary) -> Tensor:
    """θ, what a pre-activation must exceed for its feature to fire, `[d_sae]`; of TopK it is 0."""
    if isinstance(dictionary.activation, JumpRelu):
        threshold = dictionary.activation.threshold.detach().float().clamp(min=0)
        return threshold.expand(dictionary.d_sae).contiguous()
    return torch.zeros(dictionary.d_sae)


def parts(d_sae: int) -> list[slice]:
    """All features, some at a time."""
    return [slice(start, min(start + FEATURES, d_sae)) for start in range(0, d_sae, FEATURES)]


def gamma(terms: int) -> float:
    """What summing so many products in float32 can lose of the sum of their sizes."""
    return terms * UNIT / (1 - terms * UNIT)


def norm(values: Tensor) -> Tensor:
    """The norm of each row."""
    found: Tensor = torch.linalg.vector_norm(values, dim=-1)
    return found
