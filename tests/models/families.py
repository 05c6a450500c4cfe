"""Tiny random models of every family, saved as Hugging Face folders with their tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

VOCABULARY, WIDTH, LAYERS, CONTEXT = 64, 24, 3, 32
SIZES = {
    "vocab_size": VOCABULARY, "hidden_size": WIDTH, "intermediate_size": 48,
    "num_hidden_layers": LAYERS, "num_attention_heads": 3, "max_position_embeddings": CONTEXT,
    "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0, "initializer_range": 0.3,
}  # fmt: skip
GROUPED = {"num_key_value_heads": 1, "head_dim": 16}  # heads x head size is not the model's width
FAMILIES = (
    "gpt2", "gpt_neox", "gpt_neox-in-turn", "llama", "mistral", "qwen2", "qwen3", "gemma2",
    "gemma3_text",
)  # fmt: skip


def config_of(family: str) -> Any:
    """A configuration in which windows, softcaps and layer types matter."""
    if family == "gpt2":
        return transformers.GPT2Config(
            vocab_size=VOCABULARY, n_positions=CONTEXT, n_ctx=CONTEXT, n_embd=WIDTH,
            n_layer=LAYERS, n_head=3, n_inner=48, bos_token_id=0, eos_token_id=0,
            initializer_range=0.3,
        )  # fmt: skip
    if family.startswith("gpt_neox"):
        return transformers.GPTNeoXConfig(**SIZES, use_parallel_residual=family == "gpt_neox")
    types = ["full_attention", "sliding_attention", "full_attention"]
    mixed: dict[str, Any] = {"sliding_window": 3, "layer_types": types}
    if family == "llama":
        return transformers.LlamaConfig(**SIZES, **GROUPED)
    if family == "mistral":
        return transformers.MistralConfig(**SIZES, **GROUPED, sliding_window=3)
    if family == "qwen2":
        mixed["use_sliding_window"] = True
        return transformers.Qwen2Config(**SIZES, num_key_value_heads=1, **mixed)
    if family == "qwen3":
        mixed["use_sliding_window"] = True
        return transformers.Qwen3Config(**SIZES, **GROUPED, **mixed)
    if family == "gemma2":
        return transformers.Gemma2Config(**SIZES, **GROUPED, **mixed, final_logit_softcapping=2.0)
    assert family == "gemma3_text"
    return transformers.Gemma3TextConfig(**SIZES, **GROUPED, **mixed)


def save_family(family: str, folder: Path) -> Path:
    """A random model of a family in `folder`: no weight is left at a value that hides a mistake."""
    torch.manual_seed(0)
    network = transformers.AutoModelForCausalLM.from_config(config_of(family)).eval()
    for name, parameter in network.named_parameters():
        if parameter.ndim == 1:  # biases, and gains, which would be 0 and 1
            near = 1.0 if "weight" in name and not family.startswith("gemma") else 0.0
            parameter.data = near + 0.3 * torch.randn_like(parameter)
    network.save_pretrained(folder)
    words = {f"w{i}": i for i in range(VOCABULARY)}
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(words, unk_token="w0")),
        bos_token="w0", eos_token="w0", unk_token="w0", pad_token="w0",
    ).save_pretrained(folder)  # fmt: skip
    return folder
