"""Light weights: a plain GPT-2 folder loaded without transformers' class for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from faultlens.models.light_gpt2 import LightGPT2

FILE, PREFIX = "model.safetensors", "transformer."
PLAIN = {
    "model_type": "gpt2",
    "activation_function": "gelu_new",
    "n_inner": None,
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "reorder_and_upcast_attn": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
    "quantization_config": None,
}
"""What `LightGPT2` takes for granted of a configuration."""


def light_network(folder: Path, config: Any, dtype: torch.dtype) -> LightGPT2 | None:
    """The network of a folder; None where transformers has to load it, or to say what is wrong.

    Args:
        folder: with weights in one file of safetensors, just those of the body.
        config: transformers' reading of its config.json.
        dtype: what the weights are cast to.
    """
    if any(getattr(config, name, None) != value for name, value in PLAIN.items()):
        return None
    if config.n_embd % config.n_head:
        return None
    try:
        tensors = load_file(folder / FILE)
        weights = {name.removeprefix(PREFIX): held.to(dtype) for name, held in tensors.items()}
        return LightGPT2(config, weights)
    except (OSError, SafetensorError, RuntimeError):
        return None
