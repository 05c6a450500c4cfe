"""Llama, Mistral and Qwen 2/3: where their Hugging Face modules keep the named quantities."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor, nn

from faultlens.models.adapter import Tap
from faultlens.models.families.gains import RMSNormGain
from faultlens.models.sites import Site


@final
class Llama:
    """`LlamaForCausalLM` and those built like it: sequential, pre-norm (RMS), gated MLP."""

    def blocks(self, model: Any) -> nn.ModuleList:
        blocks: nn.ModuleList = model.model.layers
        return blocks

    def put_blocks(self, model: Any, blocks: nn.ModuleList) -> None:
        model.model.layers = blocks

    def tap(self, model: Any, site: Site) -> Tap:
        block: Any = self.blocks(model)[site.layer]
        norm = block.post_attention_layernorm
        taps = {
            "resid_pre": Tap(block, "input"),
            "z": Tap(block.self_attn.o_proj, "input"),
            "attn_out": Tap(block.self_attn, "output"),
            "resid_mid": Tap(norm, "input", shared=True),
            "mlp_normalized": Tap(norm, "before_gain", gain=RMSNormGain()),
            "mlp_in": Tap(block.mlp, "input"),
            "mlp_out": Tap(block.mlp, "output"),
            "resid_post": Tap(block, "output"),
        }
        return taps[site.point]

    def value_bias(self, model: Any, layer: int) -> Tensor | None:
        """Only Qwen 2 has one; with fewer value heads than query heads, each serves several."""
        attention: Any = self.blocks(model)[layer].self_attn
        bias = attention.v_proj.bias
        if bias is None:
            return None
        groups = attention.num_key_value_groups
        folded: Tensor = bias.view(-1, attention.head_dim).repeat_interleave(groups, dim=0)
        return folded.reshape(-1)
