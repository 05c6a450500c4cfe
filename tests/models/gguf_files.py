"""Tiny GGUF files of Llama and Gemma 3, written with llama.cpp's own writer, and what they hold.

The weights are quantised here, so what a reader must make of the file is known: the same network
with each weight as it comes back out of its quantisation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
import transformers
from gguf import GGMLQuantizationType as Kind
from gguf import GGUFWriter, LlamaFileType, TokenType

HEADS, KEY_VALUE_HEADS, WIDTH, LAYERS, CONTEXT = 2, 1, 64, 2, 64
HEAD = {"llama": 16, "gemma3": 256}  # Gemma's published size, from which its scale follows
FILE_TYPES = {"Q4_1": LlamaFileType.MOSTLY_Q4_1, "Q8_0": LlamaFileType.MOSTLY_Q8_0}
SIZES: dict[str, Any] = {
    "hidden_size": WIDTH, "intermediate_size": 96, "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS, "num_key_value_heads": KEY_VALUE_HEADS,
    "max_position_embeddings": CONTEXT, "initializer_range": 0.3, "rms_norm_eps": 1e-5,
}  # fmt: skip


def byte_alphabet() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return list(bytes_to_unicode().values())


def vocabulary(architecture: str) -> tuple[str, list[str], list[float], list[int], list[str]]:
    """The tokenizer's kind, tokens, scores, types and merges."""
    special = ["<unk>", "<s>", "</s>"]
    if architecture == "llama":
        tokens = [*special, *byte_alphabet(), "Ġt", "Ġth", "he"]
        types = [TokenType.UNKNOWN, *[TokenType.CONTROL] * 2, *[TokenType.NORMAL] * 259]
        merges = ["Ġ t", "Ġt h", "h e"]
    else:
        words = ["▁", *map(chr, range(33, 127)), "▁t", "he", "▁the"]
        tokens = [*special, *(f"<0x{i:02X}>" for i in range(256)), *words]
        types = [TokenType.UNKNOWN, *[TokenType.CONTROL] * 2, *[TokenType.BYTE] * 256]
        types += [TokenType.NORMAL] * len(words)
        merges = []
    scores = [-float(i) for i in range(len(tokens))]
    return ("gpt2" if merges else "llama"), tokens, scores, list(map(int, types)), merges


def network_of(architecture: str, vocab_size: int, head: int) -> Any:
    """A random network in which no weight has a value that hides a mistake."""
    torch.manual_seed(0)
    if architecture == "llama":
        config = transformers.LlamaConfig(
            **SIZES, head_dim=head, vocab_size=vocab_size, bos_token_id=1, eos_token_id=2,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        )  # fmt: skip
    else:
        config = transformers.Gemma3TextConfig(
            **SIZES, head_dim=head, vocab_size=vocab_size, bos_token_id=1, eos_token_id=2,
            sliding_window=8, query_pre_attn_scalar=head,
        )  # fmt: skip
    network = transformers.AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        if parameter.ndim == 1:
            near = 0.0 if architecture == "gemma3" else 1.0
            parameter.copy_(near + 0.3 * torch.randn_like(parameter))
        assert name
    return network


def write_gguf(
    path: Path, architecture: str, quantisation: str, head: int | None = None, pre: str = "default"
) -> Any:
    """Write the file; returns the network that it stands for.

    Args:
        head: dimensions of a head; None: as published.
        pre: how text is split before byte pairs are merged, by llama.cpp's name.
    """
    kind, tokens, scores, types, merges = vocabulary(architecture)
    head = head or HEAD[architecture]
    network = network_of(architecture, len(tokens), head)
    writer = GGUFWriter(path, architecture)
    writer.add_file_type(FILE_TYPES[quantisation])
    writer.add_name("tiny")
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(SIZES["intermediate_size"])
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_VALUE_HEADS)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    if architecture == "llama":
        writer.add_rope_dimension_count(head)
        writer.add_rope_freq_base(10000.0)
    else:
        writer.add_sliding_window(8)
        writer.add_rope_freq_base(1_000_000.0)
    writer.add_tokenizer_model(kind)
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    if merges:
        writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    add_tensors(writer, network, architecture, quantisation)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return network


def add_tensors(writer: Any, network: Any, architecture: str, quantisation: str) -> None:
    """Add every weight, and put in the network what comes back out of its quantisation."""
    arch = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(arch, LAYERS)
    tied = network.config.tie_word_embeddings
    for name, parameter in network.named_parameters():
        if tied and name == "lm_head.weight":
            continue
        there = names.get_name(name, try_suffixes=(".weight",))
        assert there is not None, name
        if parameter.ndim == 1:
            gain = parameter + 1 if architecture == "gemma3" else parameter
            writer.add_tensor(there, gain.numpy())
            continue
        how = Kind[quantisation]
        packed = gguf.quantize(parameter.numpy(), how)
        parameter.copy_(torch.from_numpy(gguf.dequantize(packed, how)))
        if architecture == "llama" and ("q_proj" in name or "k_proj" in name):
            heads = HEADS if "q_proj" in name else KEY_VALUE_HEADS
            packed = interleaved(packed, heads)
        writer.add_tensor(there, packed, raw_dtype=how)


def interleaved(rows: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp's order of a head's rows: the two halves of the rotation alternate."""
    halves = rows.reshape(heads, 2, -1, rows.shape[-1])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(rows.shape))
