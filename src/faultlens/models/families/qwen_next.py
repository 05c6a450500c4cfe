"""Qwen 3-Next and 3.5: blocks of gated linear attention, and every few one of full attention.

Linear attention has no heads' values as `z` names them. The norms' gain is one more than stored.
"""

from __future__ import annotations

from typing import Any

from faultlens.models.families.decoder import Decoder, Taps, grouped_value_bias, in_turn
from faultlens.models.families.gains import RMSNormGain


def taps(block: Any) -> Taps:
    full = hasattr(block, "self_attn")
    return in_turn(
        block,
        z=block.self_attn.o_proj if full else None,
        attention=block.self_attn if full else block.linear_attn,
        norm=block.post_attention_layernorm,
        gain=RMSNormGain(offset=1.0),
        mlp=block.mlp,
    )


QWEN_NEXT = Decoder(taps, bias=grouped_value_bias)
