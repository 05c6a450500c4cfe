"""SAELens's own ways to train what `benchmarks/training.py` trains, its settings as near as can be.

Its trainer's step is run as its `fit` runs it; what `fit` does besides (a progress bar, logs) is
left out, which is to its advantage. Needs SAELens and TransformerLens; nothing is fetched.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

Way = Callable[[], object]


def without_wandb() -> None:
    """SAELens imports wandb even where nothing is logged to it: let it, where it is missing."""
    try:
        import wandb  # noqa: F401
    except ImportError:
        stand_in = ModuleType("wandb")
        stand_in.__spec__ = ModuleSpec("wandb", None)  # without one nobody may look for it
        sys.modules["wandb"] = stand_in


@dataclass(frozen=True)
class Rival:
    """One TopK dictionary's shape and rates, and where it is trained."""

    d_in: int
    d_sae: int
    k: int
    batch: int
    steps: int
    device: torch.device

    def sae(self, seed: int, hook: str = "", scaled: bool = False) -> Any:
        """SAELens's `TopKTrainingSAE`."""
        from sae_lens.saes import TopKTrainingSAE
        from sae_lens.saes.sae import SAEMetadata

        torch.manual_seed(seed)
        metadata = SAEMetadata(hook_name=hook, prepend_bos=True, model_name="mini")
        return TopKTrainingSAE(self.sae_config(metadata=metadata, scaled=scaled))

    def sae_config(self, metadata: Any = None, scaled: bool = True) -> Any:
        from sae_lens.saes import TopKTrainingSAEConfig

        more = {} if metadata is None else {"metadata": metadata}
        return TopKTrainingSAEConfig(
            d_in=self.d_in, d_sae=self.d_sae, k=self.k, device=str(self.device),
            normalize_activations="expected_average_only_in" if scaled else "none", **more,
        )  # fmt: skip

    def trainer(self, sae: Any, batches: Iterator[Any], autocast: bool = False) -> Any:
        """SAELens's `SAETrainer`: rates and the auxiliary loss as ours."""
        from sae_lens.config import LoggingConfig, SAETrainerConfig
        from sae_lens.training.sae_trainer import SAETrainer

        config = SAETrainerConfig(
            total_training_samples=self.steps * self.batch, train_batch_size_samples=self.batch,
            lr=1e-3, lr_end=1e-4, lr_warm_up_steps=max(1, self.steps // 50),
            lr_decay_steps=max(1, 3 * self.steps // 10), dead_feature_window=50,
            device=str(self.device), autocast=autocast, n_batches_for_norm_estimate=20,
            logger=LoggingConfig(log_to_wandb=False),
        )  # fmt: skip
        return SAETrainer(config, sae, batches)

    def step(self, x: torch.Tensor, dead: int, autocast: bool = False) -> Way:
        """One step on given activations, `dead` features being dead."""
        trainer = self.trainer(self.sae(0), iter([]), autocast)

        def way() -> None:
            trainer.n_forward_passes_since_fired[:dead] = 10**6
            trainer.step(x)
            trainer.n_training_steps += 1

        return way

    def trained(self, batches: Iterator[torch.Tensor], seed: int, hook: str, out: Path) -> None:
        """Trained on given batches to the end, and saved."""
        self.trainer(self.sae(seed, hook, scaled=True), batches).fit().save_inference_model(out)


@dataclass(frozen=True)
class Runners:
    """SAELens's runners on a language model of TransformerLens, one token sequence a row."""

    rival: Rival
    sites: Sequence[str]
    rows: Sequence[Sequence[int]]
    context: int
    tokens: int

    def _settings(self) -> dict[str, Any]:
        from sae_lens.config import LoggingConfig

        return {
            "model_name": "gpt2", "dataset_path": "", "streaming": False,
            "context_size": self.context, "training_tokens": 10**9,
            "train_batch_size_tokens": self.rival.batch,
            "n_batches_in_buffer": 2 * self.rival.batch // self.context,  # counted in contexts
            "lr": 1e-3, "lr_end": 1e-4,
            "device": str(self.rival.device), "n_batches_for_norm_estimate": 1,
            "output_path": None, "checkpoint_path": None,
            "logger": LoggingConfig(log_to_wandb=False), "exclude_special_tokens": True,
        }  # fmt: skip

    def ways(self) -> dict[str, Callable[[int], object]]:
        """By name: learn from so many tokens, and go on from there the next time."""
        from datasets import Dataset
        from transformer_lens import HookedTransformer

        device = str(self.rival.device)
        model = HookedTransformer.from_pretrained("gpt2", device=device)
        data = Dataset.from_dict({"tokens": [list(map(int, row)) for row in self.rows]})
        singles = [self._single(site, data, model) for site in self.sites]
        together = self._together(data, model)

        def one_after_the_other(tokens: int) -> None:
            for single in singles:
                single(tokens)

        return {"SAELens": one_after_the_other, "SAELens, four in one pass": together}

    def _single(self, site: str, data: Any, model: Any) -> Callable[[int], object]:
        from sae_lens.config import LanguageModelSAERunnerConfig
        from sae_lens.llm_sae_training_runner import LanguageModelSAETrainingRunner
        from sae_lens.training.sae_trainer import SAETrainer

        config = LanguageModelSAERunnerConfig(
            sae=self.rival.sae_config(), hook_name=site, is_dataset_tokenized=True, verbose=False,
            **self._settings(),
        )  # fmt: skip
        torch.manual_seed(0)
        runner = LanguageModelSAETrainingRunner(config, data, model)
        trainer = SAETrainer(config.to_sae_trainer_config(), runner.sae, runner.activations_store)
        trainer.activation_scaler.scaling_factor = 1.0
        batches = iter(runner.activations_store)

        def way(tokens: int) -> None:
            for _ in range(tokens // self.rival.batch):
                trainer.step(next(batches))
                trainer.n_training_steps += 1

        return way

    def _together(self, data: Any, model: Any) -> Callable[[int], object]:
        from sae_lens.multi_sae_training_runner import (
            MultiSAETrainingRunner,
            MultiSAETrainingRunnerConfig,
        )
        from sae_lens.training.multi_sae_trainer import MultiSAETrainer

        config = MultiSAETrainingRunnerConfig(
            saes={site: self.rival.sae_config() for site in self.sites},
            hook_names={site: site for site in self.sites}, **self._settings(),
        )  # fmt: skip
        runner = MultiSAETrainingRunner(config, data, model)
        batches = runner.activations_store.get_multi_hook_data_loader()
        trainer = MultiSAETrainer(
            cfg=config.to_sae_trainer_config(), saes=runner.saes,
            hook_names=config.hook_names_per_sae, data_provider=batches,
        )  # fmt: skip
        return _stepwise(trainer, batches, self.rival.batch)


def _stepwise(trainer: Any, batches: Any, batch: int) -> Callable[[int], object]:
    for single in trainer.trainers.values():
        single.activation_scaler.scaling_factor = 1.0

    def way(tokens: int) -> None:
        for _ in range(tokens // batch):
            values = next(batches)
            for name, single in trainer.trainers.items():
                single.step(values[trainer.hook_names[name]])
                single.n_training_steps += 1

    return way


def random_rows(count: int, length: int, bos: int) -> np.ndarray:
    """Token ids at random, BOS first, `[count, length]`."""
    rows = np.random.default_rng(0).integers(0, 50_000, (count, length))
    rows[:, 0] = bos
    return rows
