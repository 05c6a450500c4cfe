"""Dictionary: the tensors and the convention of one sparse autoencoder, frozen.

Whatever an SAE's file says about its input and its scale is folded into the tensors once, when it
is loaded, so that everything downstream is `encode`: an affine map and an activation, and `decode`:
another affine map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from faultlens.models.sites import Site


class Activation(Protocol):
    """From pre-activations to activations, `[tokens, d_sae]` both; non-negative."""

    def __call__(self, pre: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Relu:
    """`max(pre, 0)`."""

    def __call__(self, pre: Tensor) -> Tensor:
        return torch.relu(pre)


@dataclass(frozen=True, eq=False)
class JumpRelu:
    """`pre` where it exceeds the feature's threshold, else 0."""

    threshold: Tensor  # [d_sae]

    def __call__(self, pre: Tensor) -> Tensor:
        return torch.relu(pre) * (pre > self.threshold)


@dataclass(frozen=True)
class TopK:
    """The `k` largest pre-activations of each token, and of them the positive ones."""

    k: int

    def __call__(self, pre: Tensor) -> Tensor:
        values, places = pre.topk(self.k, dim=-1, sorted=False)
        return torch.zeros_like(pre).scatter_(-1, places, torch.relu(values))


@dataclass(frozen=True)
class Convention:
    """What was done to the input of a dictionary; part of every table that it produced."""

    prepend_bos: bool  # trained with BOS at position 0 (which pooling leaves out)
    centred: bool  # trained on residuals with their mean over d_model taken off

    def to_dict(self) -> dict[str, bool]:
        return {"prepend_bos": self.prepend_bos, "centred": self.centred}


@dataclass(frozen=True, eq=False)
class Dictionary:
    """One SAE: `activations = activation((x - centre) @ W_enc + b_enc)`, `x̂ = a @ W_dec + b_dec`.

    A feature is written `NAME/INDEX`. `W_dec[f]` is the feature's direction in the units of the
    site: adding `c * W_dec[f]` to the site's value is what raising feature f by c does.
    """

    name: str  # e.g. "3-res-mini"
    site: Site
    activation: Activation
    W_enc: Tensor  # [d_in, d_sae]
    b_enc: Tensor  # [d_sae]
    W_dec: Tensor  # [d_sae, d_in]
    b_dec: Tensor  # [d_in]
    convention: Convention
    source: str  # where it was loaded from
    digest: str  # SHA-256 of the weight file

    @property
    def d_in(self) -> int:
        return self.W_enc.shape[0]

    @property
    def d_sae(self) -> int:
        return self.W_enc.shape[1]

    def prepare(self, x: Tensor) -> Tensor:
        """The dictionary's own input: `[..., d_in]`, centred if it was trained so."""
        return x - x.mean(-1, keepdim=True) if self.convention.centred else x

    def encode(self, x: Tensor) -> Tensor:
        """Dense activations `[tokens, d_sae]` of the site's values `x [tokens, d_in]`."""
        return self.activation(torch.addmm(self.b_enc, self.prepare(x), self.W_enc))

    def decode(self, activations: Tensor) -> Tensor:
        """The reconstruction `[tokens, d_in]` of `prepare(x)`."""
        return activations @ self.W_dec + self.b_dec

    def feature(self, index: int) -> str:
        """How a feature is written: `3-res-mini/17`."""
        return f"{self.name}/{index}"
