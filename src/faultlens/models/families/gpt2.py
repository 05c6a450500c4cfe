"""GPT-2: attention and MLP in turn, pre-norm, queries, keys and values fused in `c_attn`."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from faultlens.models.families.decoder import Decoder, Taps, in_turn
from faultlens.models.families.gains import LayerNormGain


def taps(block: Any) -> Taps:
    return in_turn(
        block,
        z=block.attn.c_proj,
        attention=block.attn,
        norm=block.ln_2,
        gain=LayerNormGain(),
        mlp=block.mlp,
    )


def value_bias(block: Any) -> Tensor:
    """The values' bias, with what the attention's norm adds to every value by its own bias."""
    d = block.attn.c_proj.weight.shape[0]
    weight, bias = block.attn.c_attn.weight[:, -d:], block.attn.c_attn.bias[-d:]
    folded: Tensor = bias + block.ln_1.bias @ weight
    return folded


GPT2 = Decoder(taps, ("transformer.h",), value_bias)
