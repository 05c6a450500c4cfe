"""Tiny random networks of many families, made without files."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
import transformers

from faultlens.models.families import adapter_of
from faultlens.models.model import Model

VOCABULARY, WIDTH, LAYERS, CONTEXT = 64, 32, 3, 64
COMMON = {
    "vocab_size": VOCABULARY, "hidden_size": WIDTH, "intermediate_size": 48,
    "num_hidden_layers": LAYERS, "num_attention_heads": 4, "max_position_embeddings": CONTEXT,
    "bos_token_id": 0, "eos_token_id": 63, "pad_token_id": 0, "initializer_range": 0.3,
}  # fmt: skip
GROUPED = {"num_key_value_heads": 2, "head_dim": 16}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
LINEAR = {
    "linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 8,
    "linear_value_head_dim": 8, "linear_conv_kernel_dim": 4,
    "layer_types": ["linear_attention", "full_attention", "linear_attention"],
}  # fmt: skip
MIXED = {
    "sliding_window": 4,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
}
STATE = {"state_size": 8, "conv_kernel": 4, "expand": 2}
OWN: dict[str, dict[str, Any]] = {
    "llama": GROUPED,
    "ministral3": GROUPED,
    "mixtral": {**GROUPED, "num_local_experts": 4},
    "qwen2_moe": {
        "num_key_value_heads": 2, **EXPERTS, "shared_expert_intermediate_size": 24,
    },
    "qwen3_moe": {**GROUPED, **EXPERTS},
    "smollm3": {"num_key_value_heads": 2, "no_rope_layers": [1, 1, 0]},
    "phi3": {"num_key_value_heads": 2, "original_max_position_embeddings": CONTEXT},
    "gpt_oss": {**GROUPED, **MIXED, "num_local_experts": 4, "num_experts_per_tok": 2},
    "glm": GROUPED,
    "olmoe": {"num_key_value_heads": 2, "num_experts": 4, "num_experts_per_tok": 2},
    "gemma": GROUPED,
    "gemma4_text": {
        **GROUPED, "num_hidden_layers": 4, "sliding_window": 4,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": VOCABULARY,
        "num_kv_shared_layers": 2, "global_head_dim": 16, "num_global_key_value_heads": 2,
    },
    "olmo2": {"num_key_value_heads": 2},
    "olmo3": {"num_key_value_heads": 2, **MIXED},
    "glm4": GROUPED,
    "granite": {"num_key_value_heads": 2, "residual_multiplier": 0.22, "logits_scaling": 8.0},
    "falcon": {"alibi": False, "new_decoder_architecture": True, "num_kv_heads": 2},
    "falcon-in-turn": {"alibi": True, "parallel_attn": False, "multi_query": False},
    "qwen3_next": {**GROUPED, **EXPERTS, **LINEAR, "shared_expert_intermediate_size": 24},
    "qwen3_5_text": {**GROUPED, **LINEAR},
    "opt": {
        "ffn_dim": 48, "word_embed_proj_dim": WIDTH, "do_layer_norm_before": True, "init_std": 0.3,
    },
    "bloom": {"n_layer": LAYERS, "n_head": 4},
    "mpt": {"n_layers": LAYERS, "n_heads": 4, "d_model": WIDTH, "max_seq_len": CONTEXT,
            "expansion_ratio": 2},
    "mamba": STATE,
    "mamba2": {**STATE, "num_heads": 8, "head_dim": 8, "n_groups": 1, "chunk_size": 8},
    "falcon_mamba": STATE,
    "phi": {"num_key_value_heads": 4},
    "cohere": {"num_key_value_heads": 2, "logit_scale": 0.25},
    "starcoder2": {"num_key_value_heads": 2},
    "stablelm": {"num_key_value_heads": 2},
    "llama4_text": {
        **GROUPED, "num_local_experts": 4, "intermediate_size_mlp": 48, "attention_chunk_size": 32,
        "no_rope_layers": [1, 1, 0],
    },
    "gemma3n_text": {
        **GROUPED, "intermediate_size": [48] * LAYERS, "hidden_size_per_layer_input": 8,
        "vocab_size_per_layer_input": VOCABULARY, "num_kv_shared_layers": 0, "laurel_rank": 4,
        "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
        "sliding_window": 8, "activation_sparsity_pattern": [0.0] * LAYERS, "altup_num_inputs": 4,
    },
}  # fmt: skip
"""Beside `COMMON`, what a family's configuration needs; so that windows and layer types matter."""


def network_of(family: str) -> Any:
    """A random network: no weight is left at a value that hides a mistake."""
    torch.manual_seed(0)
    settings = {**COMMON, **OWN[family]}
    config = transformers.AutoConfig.for_model(family.split("-")[0], **settings)
    network = transformers.AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)
    for parameter in network.parameters():
        if parameter.ndim == 1:  # biases, and gains, which would be 0 and 1
            parameter.data += 0.2 * torch.randn_like(parameter)
    return network


def model_of(family: str) -> Model:
    network = network_of(family)
    named = SimpleNamespace(bos_token_id=0, eos_token_id=63)
    return Model(family, network, named, adapter_of(network), "")
