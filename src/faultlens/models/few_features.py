"""Few features: the activations of some of a dictionary's features, without the others."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from faultlens.models.dictionary import Activation, Dictionary, Gated, JumpRelu, Relu


def encode_few(dictionary: Dictionary, x: Tensor, features: Sequence[int]) -> Tensor:
    """Some features' activations, `[tokens, features]`: those columns of `dictionary.encode(x)`.

    Where features are encoded each by itself only these are; where they compete (TopK), or SAELens
    encodes them, all of them.

    Args:
        x: the site's values, `[tokens, d_in]`.
        features: their indices.
    """
    chosen = list(features)
    own = None if dictionary.encoder is not None else _by_itself(dictionary.activation, chosen)
    if own is None:
        return dictionary.encode(x)[:, chosen]
    pre = torch.addmm(dictionary.b_enc[chosen], dictionary.prepare(x), dictionary.W_enc[:, chosen])
    return own(pre)


def _by_itself(activation: Activation, features: list[int]) -> Activation | None:
    """The activation of some features alone; None: it asks for all of them."""
    if isinstance(activation, Relu):
        return activation
    if isinstance(activation, JumpRelu):
        return JumpRelu(activation.threshold[features])
    if isinstance(activation, Gated):
        return Gated(activation.scale[features], activation.shift[features])
    return None
