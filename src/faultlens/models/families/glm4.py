"""GLM 4: norms before and behind attention and MLP, in turn."""

from __future__ import annotations

from typing import Any

from faultlens.models.families.decoder import Decoder, Taps, grouped_value_bias, in_turn
from faultlens.models.families.gains import RMSNormGain


def taps(block: Any) -> Taps:
    return in_turn(
        block,
        z=block.self_attn.o_proj,
        attention=block.post_self_attn_layernorm,
        norm=block.post_attention_layernorm,
        gain=RMSNormGain(),
        mlp=block.mlp,
        mlp_added=block.post_mlp_layernorm,
    )


GLM4 = Decoder(taps, bias=grouped_value_bias)
