"""Llama and those built like it: pre-norm (RMS), gated MLP or mixture of experts, in turn."""

from __future__ import annotations

from typing import Any

from faultlens.models.families.decoder import Decoder, Taps, grouped_value_bias, in_turn
from faultlens.models.families.gains import RMSNormGain


def taps(block: Any) -> Taps:
    return in_turn(
        block,
        z=block.self_attn.o_proj,
        attention=block.self_attn,
        norm=block.post_attention_layernorm,
        gain=RMSNormGain(),
        mlp=block.mlp,
    )


LLAMA = Decoder(taps, bias=grouped_value_bias)
