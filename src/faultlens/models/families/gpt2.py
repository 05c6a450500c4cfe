"""GPT-2: where its Hugging Face modules keep the named quantities."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor, nn

from faultlens.models.adapter import Tap
from faultlens.models.families.gains import LayerNormGain
from faultlens.models.sites import Site


@final
class GPT2:
    """`GPT2LMHeadModel`: sequential blocks of attention and MLP, pre-norm, fused `c_attn`."""

    def blocks(self, model: Any) -> nn.ModuleList:
        blocks: nn.ModuleList = model.transformer.h
        return blocks

    def put_blocks(self, model: Any, blocks: nn.ModuleList) -> None:
        model.transformer.h = blocks

    def tap(self, model: Any, site: Site) -> Tap:
        block: Any = self.blocks(model)[site.layer]
        taps = {
            "resid_pre": Tap(block, "input"),
            "z": Tap(block.attn.c_proj, "input"),
            "attn_out": Tap(block.attn, "output"),
            "resid_mid": Tap(block.ln_2, "input", shared=True),
            "mlp_normalized": Tap(block.ln_2, "before_gain", gain=LayerNormGain()),
            "mlp_in": Tap(block.mlp, "input"),
            "mlp_out": Tap(block.mlp, "output"),
            "resid_post": Tap(block, "output"),
        }
        return taps[site.point]

    def value_bias(self, model: Any, layer: int) -> Tensor:
        """The values' bias, with what the attention's norm adds to every value by its own bias."""
        block: Any = self.blocks(model)[layer]
        d = block.attn.c_proj.weight.shape[0]
        weight, bias = block.attn.c_attn.weight[:, -d:], block.attn.c_attn.bias[-d:]
        folded: Tensor = bias + block.ln_1.bias @ weight
        return folded
