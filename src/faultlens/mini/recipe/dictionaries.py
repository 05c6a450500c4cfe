"""Train the sparse autoencoders with SAELens's own trainer, and save them in its format.

Activations come from the model as shipped (fp16 weights, run in float32), read through
`faultlens.models`. A dictionary that is already there is not trained again.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from faultlens.models.model import Model
from faultlens.models.sae_folder import WEIGHTS
from faultlens.models.sites import Site

# Sublayers whose work can be seen. Tried and left out: attention at layer 2, which moves so little
# that 44 % of 1,536 features died; the MLPs of layers 2 and 4, which cost 0.02 and 0.10 nats when
# taken away, and of which dictionaries recovered .93 and .94.
SITES = (
    *(Site(layer, "resid_pre") for layer in (2, 3, 4, 5)),
    *(Site(layer, "attn_out") for layer in (4, 5)),
    *(Site(layer, "mlp_out") for layer in (5, 0)),
)


@dataclass(frozen=True)
class DictionaryPlan:
    """Everything that decides a trained dictionary, besides the model and the text."""

    expansion: int = 8
    k: int = 32  # of a residual stream
    attention_k: int = 36
    mlp_k: int = 40
    tokens: int = 2_000_000  # of a residual stream
    sublayer_tokens: int = 3_000_000  # of attention and MLP outputs, whose features die sooner
    batch_tokens: int = 2048
    learning_rate: float = 1e-3
    decay_share: float = 0.3  # of the steps, at the end, linearly to a tenth
    dead_after: int = 30  # steps without firing after which a feature gets the auxiliary loss
    rows_per_buffer: int = 256  # rows of activations that are shuffled together
    seed: int = 0

    def at(self, site: Site) -> tuple[int, int]:
        """k, and the number of training steps, of the dictionary of one site."""
        tokens = self.tokens if site.point == "resid_pre" else self.sublayer_tokens
        k = {"resid_pre": self.k, "attn_out": self.attention_k, "mlp_out": self.mlp_k}[site.point]
        return k, tokens // self.batch_tokens


def activation_batches(
    model: Model, site: Site, rows: np.ndarray, plan: DictionaryPlan
) -> Iterator[Tensor]:
    """Endless shuffled batches `[batch_tokens, d_model]` of the site's values, BOS left out.

    Rows hold no padding, so here (and only here) BOS is told by its id.
    """
    generator = torch.Generator().manual_seed(plan.seed)
    start = 0
    while True:
        taken = np.take(rows, range(start, start + plan.rows_per_buffer), axis=0, mode="wrap")
        start += plan.rows_per_buffer
        kept = []
        for part in np.array_split(taken, len(taken) // 16):
            ids = torch.from_numpy(part.astype(np.int64)).to(model.device)
            kept.append(model.read(ids, [site])[site][ids != model.bos_id])
        values = torch.cat(kept)
        values = values[torch.randperm(len(values), generator=generator)]
        for first in range(0, len(values) - plan.batch_tokens + 1, plan.batch_tokens):
            yield values[first : first + plan.batch_tokens]


def train_dictionary(
    model: Model, site: Site, rows: np.ndarray, plan: DictionaryPlan, folder: Path
) -> None:
    """Train the TopK SAE of one site and save it, in fp16, as `folder/{site}`."""
    target = folder / site.name
    if target.exists():
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SAELens's import warns about its own dependencies
        from sae_lens.config import LoggingConfig, SAETrainerConfig
        from sae_lens.saes.sae import SAEMetadata
        from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig
        from sae_lens.training.sae_trainer import SAETrainer

    torch.manual_seed(plan.seed)
    d_in = model.d_model
    k, steps = plan.at(site)
    sae = TopKTrainingSAE(
        TopKTrainingSAEConfig(
            d_in=d_in,
            d_sae=plan.expansion * d_in,
            k=k,
            device=str(model.device),
            normalize_activations="expected_average_only_in",
            metadata=SAEMetadata(hook_name=site.name, prepend_bos=True, model_name="mini"),
        )
    )
    config = SAETrainerConfig(
        total_training_samples=steps * plan.batch_tokens,
        train_batch_size_samples=plan.batch_tokens,
        device=str(model.device),
        lr=plan.learning_rate,
        lr_end=plan.learning_rate / 10,
        lr_decay_steps=int(steps * plan.decay_share),
        dead_feature_window=plan.dead_after,
        n_batches_for_norm_estimate=20,
        logger=LoggingConfig(log_to_wandb=False),
    )
    batches: Any = activation_batches(model, site, rows, plan)
    part = folder / f"{site.name}.part"
    SAETrainer(config, sae, batches).fit().save_inference_model(part)
    tensors = load_file(part / WEIGHTS)
    save_file({name: tensor.half() for name, tensor in tensors.items()}, part / WEIGHTS)
    _drop_training_window_figures(part / "cfg.json")
    if target.exists():
        shutil.rmtree(target)
    part.rename(target)


def _drop_training_window_figures(path: Path) -> None:
    """The trainer writes l0 and dead features of its last window; the card measures them anew."""
    config = json.loads(path.read_text(encoding="utf-8"))
    for figure in ("l0", "num_dead_features"):
        config.get("metadata", {}).pop(figure, None)
    path.write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8")
