"""GPT-NeoX and Pythia: where their Hugging Face modules keep the named quantities."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn

from faultlens.models.adapter import Tap
from faultlens.models.families.gains import LayerNormGain
from faultlens.models.sites import Site


@final
class NeoX:
    """`GPTNeoXForCausalLM`: attention and MLP side by side (`use_parallel_residual`) or in turn.

    Side by side both read the block's input, and there is no residual between them.
    """

    def blocks(self, model: Any) -> nn.ModuleList:
        blocks: nn.ModuleList = model.gpt_neox.layers
        return blocks

    def put_blocks(self, model: Any, blocks: nn.ModuleList) -> None:
        model.gpt_neox.layers = blocks

    def tap(self, model: Any, site: Site) -> Tap | None:
        block: Any = self.blocks(model)[site.layer]
        norm = block.post_attention_layernorm
        taps = {
            "resid_pre": Tap(block, "input"),
            "z": Tap(block.attention.dense, "input"),
            "attn_out": Tap(block.attention, "output"),
            "mlp_normalized": Tap(norm, "before_gain", gain=LayerNormGain()),
            "mlp_in": Tap(block.mlp, "input"),
            "mlp_out": Tap(block.mlp, "output"),
            "resid_post": Tap(block, "output"),
        }
        if not model.config.use_parallel_residual:
            taps["resid_mid"] = Tap(norm, "input", shared=True)
        return taps.get(site.point)

    def value_bias(self, model: Any, layer: int) -> Tensor:
        """As in GPT-2; the fused projection holds query, key and value head by head."""
        block: Any = self.blocks(model)[layer]
        fused, heads = block.attention.query_key_value, model.config.num_attention_heads
        d = fused.weight.shape[1]
        weight = fused.weight.view(heads, 3, d // heads, d)[:, 2].reshape(d, d)
        folded: Tensor = weight @ block.input_layernorm.bias
        if fused.bias is not None:
            folded = folded + fused.bias.view(heads, 3, d // heads)[:, 2].reshape(d)
        return torch.as_tensor(folded)
