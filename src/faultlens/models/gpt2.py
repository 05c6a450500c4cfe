"""GPT-2: where its Hugging Face modules keep the named quantities."""

from __future__ import annotations

from typing import Any, final

from torch import nn

from faultlens.models.adapter import Tap, register
from faultlens.models.sites import Site


@final
@register("gpt2")
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
            "mlp_out": Tap(block.mlp, "output"),
            "resid_post": Tap(block, "output"),
        }
        return taps[site.point]
