"""Falcon: attention and MLP side by side (all but the first models), or in turn.

Its MLP's output is written over once attention is added to it: what is read is a copy.
"""

from __future__ import annotations

from typing import Any

from faultlens.models.families.decoder import Decoder, Taps, in_turn, side_by_side
from faultlens.models.families.gains import LayerNormGain


def taps(block: Any) -> Taps:
    parts = {
        "z": block.self_attention.dense, "attention": block.self_attention, "mlp": block.mlp
    }  # fmt: skip
    if block.config.new_decoder_architecture or block.config.parallel_attn:
        own = getattr(block, "ln_mlp", None)  # the norm of the MLP alone, where there is one
        return side_by_side(block, **parts, norm=own, gain=LayerNormGain())
    return in_turn(block, **parts, norm=block.post_attention_layernorm, gain=LayerNormGain())


FALCON = Decoder(taps, ("transformer.h",), gives_tuple=True)
