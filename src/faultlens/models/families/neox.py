"""GPT-NeoX and Pythia: attention and MLP side by side (`use_parallel_residual`) or in turn.

Side by side both read the block's input, and there is no residual between them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from faultlens.models.families.decoder import Decoder, Taps, in_turn, side_by_side
from faultlens.models.families.gains import LayerNormGain


def taps(block: Any) -> Taps:
    shape = side_by_side if block.use_parallel_residual else in_turn
    return shape(
        block,
        z=block.attention.dense,
        attention=block.attention,
        norm=block.post_attention_layernorm,
        gain=LayerNormGain(),
        mlp=block.mlp,
    )


def value_bias(block: Any) -> Tensor:
    """As in GPT-2; the fused projection holds query, key and value head by head."""
    fused, head = block.attention.query_key_value, block.attention.head_size
    d = fused.weight.shape[1]
    weight = fused.weight.view(-1, 3, head, d)[:, 2].reshape(d, d)
    folded: Tensor = weight @ block.input_layernorm.bias
    if fused.bias is not None:
        folded = folded + fused.bias.view(-1, 3, head)[:, 2].reshape(d)
    return torch.as_tensor(folded)


NEOX = Decoder(taps, ("gpt_neox.layers",), value_bias)
