"""Train mini's dictionaries with `faultlens.training`, and ship them in float16.

Activations come from the model as shipped (fp16 weights, run in float32). A set that is there is
not trained again. The dictionaries that are shipped were trained by SAELens's own trainer, with the
same losses, k, width and text, before this package had one.
"""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path

from safetensors.torch import load_file, save_file

from faultlens.mini.recipe.text import documents
from faultlens.models.model import Model
from faultlens.models.sae_config import CONFIG
from faultlens.models.sae_folder import WEIGHTS
from faultlens.training.config import OptimiserConfig, SparsityConfig, TrainConfig
from faultlens.training.run import train_dictionaries

DOCUMENTS = 60_000  # of the training text, about three million tokens
OPTIMISER = OptimiserConfig(batch_tokens=2048, dead_after=60_000)

# Sublayers whose work can be seen. Tried and left out: attention at layer 2, which moves so little
# that 44 % of 1,536 features died; the MLPs of layers 2 and 4, which cost 0.02 and 0.10 nats when
# taken away, and of which dictionaries recovered .93 and .94. Sublayers get more tokens, since
# their features die sooner.
SETS = {
    "residuals": TrainConfig(
        layers=(2, 3, 4, 5),
        sites=("resid_pre",),
        tokens=2_000_000,
        sparsity=SparsityConfig(k=(32,)),
        optimiser=OPTIMISER,
    ),
    "attention": TrainConfig(
        layers=(4, 5),
        sites=("attn_out",),
        tokens=3_000_000,
        sparsity=SparsityConfig(k=(36,)),
        optimiser=OPTIMISER,
    ),
    "mlp": TrainConfig(
        layers=(0, 5),
        sites=("mlp_out",),
        tokens=3_000_000,
        sparsity=SparsityConfig(k=(40,)),
        optimiser=OPTIMISER,
    ),
}


def train_sets(model: Model, build: Path, folder: Path) -> None:
    """Train every set in `build`, and put its dictionaries into `folder`, in float16."""
    texts = list(islice(documents("train"), DOCUMENTS))
    for name, config in SETS.items():
        wanted = [
            folder / f"blocks.{layer}.hook_{p}" for layer in config.layers for p in config.sites
        ]
        if all(path.exists() for path in wanted):
            continue
        print(f"dictionaries: {name}", flush=True)
        for made in train_dictionaries(model, texts, config, build / name).dictionaries:
            ship(made.folder, folder / made.plan.target.name)


def ship(trained: Path, target: Path) -> None:
    """The configuration and the weights of a trained dictionary, in float16."""
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    tensors = load_file(trained / WEIGHTS)
    save_file({name: tensor.half() for name, tensor in tensors.items()}, part / WEIGHTS)
    shutil.copy(trained / CONFIG, part / CONFIG)
    part.rename(target)
