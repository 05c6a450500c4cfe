"""What a dictionary does to each token before it encodes, and undoes after it decodes.

A factor that is one for all tokens (`expected_average_only_in`) is folded into the tensors when a
dictionary is loaded and needs nothing here. These two differ from token to token, so that the scale
of a token has to be known wherever a reconstruction or a feature's direction is put into the site's
units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class Normalisation(Protocol):
    """A token's values `[..., d]` become `(x − shift) / (scale + eps)`."""

    @property
    def eps(self) -> float: ...

    def shift(self, x: Tensor) -> Tensor:
        """What is taken off, `[..., 1]`."""
        ...

    def scale(self, x: Tensor) -> Tensor:
        """What is divided by, `[..., 1]`; in the units of `x`."""
        ...


@dataclass(frozen=True)
class Unscaled:
    """Nothing is done: shift 0, scale 1."""

    eps: float = 0.0

    def shift(self, x: Tensor) -> Tensor:
        return x.new_zeros(1)

    def scale(self, x: Tensor) -> Tensor:
        return x.new_ones(1)


@dataclass(frozen=True)
class PerTokenNorm:
    """SAELens's `layer_norm`: shift = the token's mean, scale = its sample standard deviation.

    The standard deviation has d − 1 in its denominator, unlike a LayerNorm's. Undoing it multiplies
    by the standard deviation without eps, as SAELens does.
    """

    eps: float = 1e-5

    def shift(self, x: Tensor) -> Tensor:
        return x.mean(-1, keepdim=True)

    def scale(self, x: Tensor) -> Tensor:
        return x.std(-1, keepdim=True)


@dataclass(frozen=True)
class ConstantNorm:
    """SAELens's `constant_norm_rescale`: every token gets the norm √d; scale = ‖x‖ / √d."""

    eps: float = 0.0

    def shift(self, x: Tensor) -> Tensor:
        return x.new_zeros(1)

    def scale(self, x: Tensor) -> Tensor:
        norm: Tensor = x.norm(dim=-1, keepdim=True)
        return norm / math.sqrt(x.shape[-1])


@dataclass(frozen=True)
class OneFactor:
    """Every token is multiplied by one factor, which is not folded into the tensors.

    What the doctor tries is read so, since folding copies the tensors; what is in force is folded.
    """

    factor: float
    eps: float = 0.0

    def shift(self, x: Tensor) -> Tensor:
        return x.new_zeros(1)

    def scale(self, x: Tensor) -> Tensor:
        return x.new_full((1,), 1 / self.factor)


def normalised(how: Normalisation, x: Tensor) -> Tensor:
    """`(x − shift) / (scale + eps)`; the tensor itself where nothing is to be done."""
    if isinstance(how, Unscaled):
        return x
    scaled: Tensor = (x - how.shift(x)) / (how.scale(x) + how.eps)
    return scaled


UNSCALED = Unscaled()
NORMALISATIONS: dict[str, Normalisation] = {
    "none": UNSCALED,
    "expected_average_only_in": UNSCALED,  # its factor is folded into the tensors
    "layer_norm": PerTokenNorm(),
    "constant_norm_rescale": ConstantNorm(),
}
"""By SAELens's names. (`covariance_whitening` is folded by SAELens when it saves.)"""
