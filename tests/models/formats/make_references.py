"""Writes dictionaries with their publishers' own libraries, and what these make of some inputs.

    pip install --no-deps --target LIBRARIES dictionary-learning==0.1.0 eai-sparsify==1.3.3 \\
        llamascopium==2.0.0b34
    python make_references.py LIBRARIES OUT

Into OUT/NAME go the library's own files, in folders as it (or its repository) names them, and
`expected.safetensors`: inputs, activations and reconstructions. The libraries ask for versions of
torch and transformers, and for data bases and trackers, that cannot stand beside ours; what they
import for training alone is replaced by empty modules. Gemma Scope's and Qwen-Scope's files come of
no library: these are written in the published layout, and SAELens's loaders are their referee.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import torch
from safetensors.torch import save_file
from torch import Tensor

D, LATENTS, K, TOKENS = 8, 24, 4, 16


def imported(name: str) -> ModuleType:
    while True:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as missing:
            sys.modules[str(missing.name)] = MagicMock()


def shaken(module: torch.nn.Module) -> None:
    """No parameter keeps a value that would hide a mistake: no zeros, no unit norms."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.6)


def expected(out: Path, x: Tensor, activations: Tensor, rebuilt: Tensor) -> None:
    found = {"x": x, "activations": activations, "rebuilt": rebuilt}
    save_file({k: v.detach().float().contiguous() for k, v in found.items()},
              out / "expected.safetensors")  # fmt: skip


def dictionary_learning(out: Path, x: Tensor) -> None:
    """Every class, saved as its `trainSAE` saves it and read by its `load_dictionary`."""
    library = imported("dictionary_learning.dictionary")
    trainers = {name: imported(f"dictionary_learning.trainers.{name}")
                for name in ("top_k", "batch_top_k", "matryoshka_batch_top_k")}  # fmt: skip
    load = imported("dictionary_learning.utils").load_dictionary
    made: dict[str, Callable[[], Any]] = {
        "AutoEncoder": lambda: library.AutoEncoder(D, LATENTS),
        "AutoEncoderNew": lambda: library.AutoEncoderNew(D, LATENTS),
        "GatedAutoEncoder": lambda: library.GatedAutoEncoder(D, LATENTS),
        "JumpReluAutoEncoder": lambda: library.JumpReluAutoEncoder(D, LATENTS),
        "AutoEncoderTopK": lambda: trainers["top_k"].AutoEncoderTopK(D, LATENTS, K),
        "BatchTopKSAE": lambda: trainers["batch_top_k"].BatchTopKSAE(D, LATENTS, K),
        "MatryoshkaBatchTopKSAE": lambda: trainers["matryoshka_batch_top_k"].MatryoshkaBatchTopKSAE(
            D, LATENTS, K, [8, 16]
        ),
    }
    for name, make in made.items():
        coder = make()
        shaken(coder)
        if "BatchTopK" in name:
            coder.threshold.fill_(0.7)
        folder = out / f"dictionary_learning-{name}" / "trainer_0"
        folder.mkdir(parents=True)
        torch.save(coder.state_dict(), folder / "ae.pt")
        trainer = {
            "dict_class": name,
            "activation_dim": D,
            "dict_size": LATENTS,
            "k": K,
            "layer": 1,
            "lm_name": "some/model",
            "submodule_name": "resid_post_layer_1",
        }
        (folder / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {}}))
        if name == "MatryoshkaBatchTopKSAE":  # its own reader calls it with arguments it lacks
            read = coder
        else:
            read, _ = load(str(folder), "cpu")
        f = read.encode(x)
        expected(folder.parent, x, f, read.decode(f))


def sparsify(out: Path, x: Tensor) -> None:
    """An SAE, a transcoder and a skip transcoder, saved by `save_to_disk`."""
    library = imported("sparsify.sparse_coder")
    config = imported("sparsify.config").SparseCoderConfig
    for name, hook, options in (
        ("sae", "layers.1", {}),
        ("transcoder", "h.1.mlp", {"transcode": True}),
        ("skip", "layers.1.mlp", {"transcode": True, "skip_connection": True}),
    ):
        coder = library.SparseCoder(D, config(expansion_factor=LATENTS // D, k=K, **options))
        shaken(coder)
        folder = out / f"sparsify-{name}" / hook
        coder.save_to_disk(folder)
        read = library.SparseCoder.load_from_disk(folder)
        top, places, _ = read.encode(x)
        activations = torch.zeros(TOKENS, LATENTS).scatter(1, places, top)
        expected(folder.parent, x, activations, read(x).sae_out)


def llamascopium(out: Path, x: Tensor) -> None:
    """Every activation and normalisation that encodes token by token, by `save_pretrained`."""
    library = imported("llamascopium.models.sae")
    hook = "blocks.1.hook_resid_pre"
    for name, options in (
        ("relu", {"act_fn": "relu", "norm_activation": "inference"}),
        ("topk", {"act_fn": "topk", "top_k": K, "norm_activation": "dataset-wise"}),
        ("topk-plain", {"act_fn": "topk", "top_k": K, "norm_activation": "token-wise",
                        "sparsity_include_decoder_norm": False}),
        ("jumprelu", {"act_fn": "jumprelu", "norm_activation": "dataset-wise"}),
        ("no-bias", {"act_fn": "relu", "norm_activation": "dataset-wise",
                     "use_decoder_bias": False}),
        ("transcoder", {"act_fn": "jumprelu", "norm_activation": "dataset-wise",
                        "hook_point_in": "blocks.1.mlp.hook_in",
                        "hook_point_out": "blocks.1.hook_mlp_out"}),
    ):  # fmt: skip
        hooks = {"hook_point_in": hook, "hook_point_out": hook}
        config = library.SAEConfig(
            d_model=D, expansion_factor=LATENTS / D, dtype=torch.float32, device="cpu",
            **{**hooks, **options},
        )  # fmt: skip
        coder = library.SparseAutoEncoder(config)
        shaken(coder)
        points = {config.hook_point_in: 5.0, config.hook_point_out: 3.0}
        if config.norm_activation == "dataset-wise":
            coder.set_dataset_average_activation_norm(points)
        folder = out / f"llamascopium-{name}"
        folder.mkdir(parents=True)
        coder.save_checkpoint(folder / "sae_weights.safetensors")
        config.save_hyperparameters(folder)
        read = library.SparseAutoEncoder.from_pretrained(str(folder))
        batch, scales = read.normalize_activations(
            dict.fromkeys(points, x), return_scale_factor=True
        )
        f = read.encode(batch[config.hook_point_in])
        expected(folder, x, f, read.decode(f) / scales[config.hook_point_out])


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    torch.manual_seed(0)
    x = torch.randn(TOKENS, D) * 2 + 0.5
    for write in (dictionary_learning, sparsify, llamascopium):
        with torch.no_grad():
            write(Path(sys.argv[2]), x)


if __name__ == "__main__":
    main()
