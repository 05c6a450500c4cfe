"""Unembedding: from what a network ends in to logits, scaled and capped as its family does."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def unembedded(head: Any, config: Any, hidden: Tensor, tokens: Tensor | None = None) -> Tensor:
    """Logits in float32, `[..., vocabulary]`.

    Args:
        head: the network's output embedding, a linear layer.
        config: of the language model.
        hidden: what the head reads, `[..., d_model]`.
        tokens: only their logits, `[..., tokens]`; ascending ids. None: all.
    """
    if tokens is None:
        logits: Tensor = head(hidden).float()
    else:
        bias = None if head.bias is None else head.bias[tokens]
        logits = nn.functional.linear(hidden, head.weight[tokens], bias).float()
    scale = _logit_scale(config)
    if scale != 1.0:
        logits = logits * scale
    cap = getattr(config, "final_logit_softcapping", None)  # Gemma 2
    return logits if cap is None else torch.tanh(logits / cap) * cap


def _logit_scale(config: Any) -> float:
    """What logits are multiplied by behind the unembedding: Granite's divisor, Cohere's factor."""
    divisor, factor = (getattr(config, name, None) for name in ("logits_scaling", "logit_scale"))
    return float(factor or 1.0) / float(divisor or 1.0)
