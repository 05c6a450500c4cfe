"""A local Hugging Face cache as the hub lays it out: a random GPT-2, and SAEs in their own format.

Nothing can be downloaded where the tests run, so the real path is driven through such a cache: the
architecture, the tokenizer and the files' formats are the published ones, the numbers are random.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from huggingface_hub import constants
from safetensors.torch import save_file

from faultlens.models import hub

MODEL_COMMIT, SAE_COMMIT = "a" * 40, "b" * 40
SAE_REPOSITORY = "jbloom/GPT2-Small-SAEs-Reformatted"
RELEASE = "gpt2-small-res-jb"


def use_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache as this process's, without a network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.reachable.cache_clear()


def snapshot(cache: Path, repository: str, commit: str) -> Path:
    """The folder of a repository's files at `commit`, which is its `main`."""
    root = cache / f"models--{repository.replace('/', '--')}"
    (root / "refs").mkdir(parents=True, exist_ok=True)
    (root / "refs" / "main").write_text(commit)
    folder = root / "snapshots" / commit
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def put_gpt2(cache: Path, tokenizer: Path, width: int, heads: int) -> Path:
    """A random `gpt2` of 12 layers whose residuals have a mean, so that centring can be told."""
    folder = snapshot(cache, "gpt2", MODEL_COMMIT)
    config = transformers.GPT2Config(
        n_embd=width, n_head=heads, n_layer=12, n_ctx=1024, initializer_range=0.06,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    torch.manual_seed(0)
    network = transformers.GPT2LMHeadModel(config)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.05)
            if "ln_" in name and name.endswith("weight"):
                parameter.normal_(mean=1.0, std=0.2)
        network.transformer.wte.weight += 0.3 + 0.05 * torch.randn(50257, 1)
    network.save_pretrained(folder)
    transformers.GPT2TokenizerFast(
        vocab=str(tokenizer / "vocab.json"), merges=str(tokenizer / "merges.txt")
    ).save_pretrained(folder)
    return folder


def put_saes(cache: Path, layers: list[int], width: int, features: int) -> Path:
    """Random SAEs of `gpt2-small-res-jb`, each folder as the repository has them."""
    folder = snapshot(cache, SAE_REPOSITORY, SAE_COMMIT)
    for layer in layers:
        write_res_jb(folder / f"blocks.{layer}.hook_resid_pre", layer, width, features)
    return folder


def write_res_jb(folder: Path, layer: int, width: int, features: int, **more: Any) -> None:
    """One SAE in the format of that repository, which is from before SAELens 6."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(layer)
    W_dec = torch.randn(features, width, generator=generator)
    W_dec /= W_dec.norm(dim=1, keepdim=True)
    tensors = {
        "W_enc": (W_dec.T + 0.02 * torch.randn(width, features, generator=generator)).contiguous(),
        "b_enc": -0.5 + 0.3 * torch.randn(features, generator=generator),
        "W_dec": W_dec,
        "b_dec": 0.1 * torch.randn(width, generator=generator),
        "scaling_factor": torch.ones(features),
    }
    save_file(tensors, folder / "sae_weights.safetensors")
    save_file({"sparsity": torch.full((features,), -3.0)}, folder / "sparsity.safetensors")
    config = {
        "model_name": "gpt2-small", "hook_point": f"blocks.{layer}.hook_resid_pre",
        "hook_point_layer": layer, "hook_point_head_index": None,
        "dataset_path": "Skylion007/openwebtext", "is_dataset_tokenized": False,
        "context_size": 128, "use_cached_activations": False, "d_in": width,
        "n_batches_in_buffer": 128, "total_training_tokens": 300000000, "store_batch_size": 32,
        "device": "mps", "seed": 42, "dtype": "torch.float32",
        "b_dec_init_method": "geometric_median", "expansion_factor": 32,
        "from_pretrained_path": None, "l1_coefficient": 8e-05, "lr": 0.0004, "d_sae": features,
        **more,
    }  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(config))
