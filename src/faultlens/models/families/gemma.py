"""Gemma, whose gain is one more than stored; from 2 on with a norm behind each sublayer too.

What a sublayer adds is then the output of that norm. Gemma 4's gain is its weight again.
"""

from __future__ import annotations

from typing import Any

from faultlens.models.families.decoder import Decoder, Taps, in_turn
from faultlens.models.families.gains import RMSNormGain


def _taps(block: Any, gain: RMSNormGain) -> Taps:
    return in_turn(
        block,
        z=block.self_attn.o_proj,
        attention=block.post_attention_layernorm,
        norm=block.pre_feedforward_layernorm,
        gain=gain,
        mlp=block.mlp,
        mlp_added=block.post_feedforward_layernorm,
    )


def _first(block: Any) -> Taps:
    return in_turn(
        block,
        z=block.self_attn.o_proj,
        attention=block.self_attn,
        norm=block.post_attention_layernorm,
        gain=RMSNormGain(offset=1.0),
        mlp=block.mlp,
    )


GEMMA1 = Decoder(_first)
GEMMA = Decoder(lambda block: _taps(block, RMSNormGain(offset=1.0)))
# Its blocks add embeddings of their own behind the MLP, and scale what they give.
GEMMA4 = Decoder(lambda block: _taps(block, RMSNormGain()), adds_more=True)
