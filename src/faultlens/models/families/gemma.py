"""Gemma 2 and 3: where their Hugging Face modules keep the named quantities.

Each sublayer's output passes a norm of its own before it is added, so what a sublayer adds is the
output of that norm, not of the sublayer.
"""

from __future__ import annotations

from typing import Any, final

from torch import nn

from faultlens.models.adapter import Tap
from faultlens.models.families.gains import RMSNormGain
from faultlens.models.sites import Site


@final
class Gemma:
    """`Gemma2ForCausalLM`, `Gemma3ForCausalLM`, and the text half of the multimodal Gemma 3."""

    def blocks(self, model: Any) -> nn.ModuleList:
        blocks: nn.ModuleList = self._decoder(model).layers
        return blocks

    def put_blocks(self, model: Any, blocks: nn.ModuleList) -> None:
        self._decoder(model).layers = blocks

    def tap(self, model: Any, site: Site) -> Tap:
        block: Any = self.blocks(model)[site.layer]
        norm = block.pre_feedforward_layernorm
        taps = {
            "resid_pre": Tap(block, "input"),
            "z": Tap(block.self_attn.o_proj, "input"),
            "attn_out": Tap(block.post_attention_layernorm, "output"),
            "resid_mid": Tap(norm, "input", shared=True),
            "mlp_normalized": Tap(norm, "before_gain", gain=RMSNormGain(offset=1.0)),
            "mlp_in": Tap(block.mlp, "input"),
            "mlp_out": Tap(block.post_feedforward_layernorm, "output"),
            "resid_post": Tap(block, "output"),
        }
        return taps[site.point]

    def value_bias(self, model: Any, layer: int) -> None:
        return None  # neither the norm nor the projection has a bias

    def _decoder(self, model: Any) -> Any:
        """The module that holds the blocks: within the multimodal model, the language half."""
        inner = model.model
        return getattr(inner, "language_model", inner)
