"""OLMo 2 and 3: norms stand behind attention and MLP, none before, in turn."""

from __future__ import annotations

from typing import Any

from faultlens.models.families.decoder import Decoder, Taps, in_turn


def taps(block: Any) -> Taps:
    return in_turn(
        block,
        z=block.self_attn.o_proj,
        attention=block.post_attention_layernorm,
        mlp=block.mlp,
        mlp_added=block.post_feedforward_layernorm,
    )


OLMO = Decoder(taps)
