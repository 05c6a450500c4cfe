"""Folders whose weights are eight-bit floats with a scale a block, as DeepSeek and Qwen publish."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import save_file
from torch.testing import assert_close

from faultlens.models.load import load_model
from tests.models.test_tokenizer import byte_level
from tests.models.tiny_networks import COMMON

pytestmark = pytest.mark.usefixtures("one_thread")
IDS = torch.tensor([[0, 5, 9, 33, 7, 12]])
BLOCK = 128
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def written(folder: Path) -> Any:
    """A tiny folder in FP8, and the network that its weights stand for."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        **{**COMMON, "vocab_size": 400, "hidden_size": 128, "intermediate_size": 256},
        num_key_value_heads=4, dtype="bfloat16",
    )  # fmt: skip
    network = transformers.LlamaForCausalLM(config).eval()
    tensors = {}
    for name, tensor in network.state_dict().items():
        if not any(part in name for part in PROJECTIONS):
            tensors[name] = tensor.to(torch.bfloat16)
            continue
        rows, columns = (size // BLOCK for size in tensor.shape)
        blocks = tensor.reshape(rows, BLOCK, columns, BLOCK)
        scale = blocks.abs().amax(dim=(1, 3)) / torch.finfo(torch.float8_e4m3fn).max
        stored = (blocks / scale[:, None, :, None]).to(torch.float8_e4m3fn)
        tensors[name] = stored.reshape(tensor.shape)
        tensors[f"{name}_scale_inv"] = scale
        tensor.copy_((stored.float() * scale[:, None, :, None]).reshape(tensor.shape))
    network.config.save_pretrained(folder)
    path = folder / "config.json"
    fp8 = {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [BLOCK] * 2}
    path.write_text(json.dumps({**json.loads(path.read_text()), "quantization_config": fp8}))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    byte_level().save_pretrained(folder)
    return network


def test_eight_bit_floats_are_read_in_the_precision_asked_for(tmp_path: Path) -> None:
    network = written(tmp_path)
    model = load_model(str(tmp_path))
    assert {parameter.dtype for parameter in model.network.parameters()} == {torch.float32}
    theirs = dict(network.named_parameters())
    for name, parameter in model.network.named_parameters():  # dequantised in bfloat16
        assert_close(parameter, theirs[name].data, rtol=1e-2, atol=1e-3)
    network.load_state_dict(model.network.state_dict())
    with torch.no_grad():
        assert_close(model.logits(IDS), network(IDS).logits, rtol=1e-5, atol=1e-5)
