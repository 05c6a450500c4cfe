"""Norms, split into the normalised value and the gain: what `ln2.hook_normalized` names.

TransformerLens reads a norm before its gain (and bias); transformers' modules give only the
product, so the value is worked out again from the norm's input.
"""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor


@final
class LayerNormGain:
    """`(x − mean) / sqrt(var + eps)`, then `· weight + bias` (Ba et al. 2016)."""

    def normalize(self, norm: Any, x: Tensor) -> Tensor:
        return torch.layer_norm(x, x.shape[-1:], eps=norm.eps)

    def scale(self, norm: Any, normalized: Tensor) -> Tensor:
        scaled: Tensor = normalized * norm.weight
        return scaled if norm.bias is None else scaled + norm.bias


@final
class RMSNormGain:
    """`x / sqrt(mean(x²) + eps)`, then `· (offset + weight)` (Zhang & Sennrich 2019).

    Gemma stores the gain less one (`offset=1`).
    """

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def normalize(self, norm: Any, x: Tensor) -> Tensor:
        eps = norm.eps if hasattr(norm, "eps") else norm.variance_epsilon
        wide = x.float()  # the families' own norms work in float32 too
        normalized = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
        return normalized.to(x.dtype)

    def scale(self, norm: Any, normalized: Tensor) -> Tensor:
        scaled: Tensor = normalized * (self.offset + norm.weight)
        return scaled
