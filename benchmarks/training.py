"""Training dictionaries against SAELens's own trainer: `python benchmarks/training.py [PART …]`.

Parts: step (one TopK step, activations given), run (four TopK dictionaries of GPT-2's shape from
token ids on, against SAELens's runner doing the same four one after the other), quality (FVU at
equal tokens, k and width on `mini`, three seeds). Rivals in turn within one run; results go to
`benchmarks/results/training.json`, the table to `docs/performance.md`. Needs
FAULTLENS_REFERENCE_DATA for GPT-2's tokenizer.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from engine import paired, ratio, summary  # noqa: E402

RESULTS = HERE / "results" / "training.json"
PARTS = ("step", "run", "quality")
D_IN, D_SAE, K, BATCH = 768, 6144, 32, 4096
SITES = ("blocks.2.hook_resid_pre", "blocks.4.hook_resid_pre", "blocks.4.hook_mlp_out",
         "blocks.6.hook_resid_pre")  # fmt: skip
RUN_TOKENS = 6 * BATCH  # of each way; set-up is not timed


def step(repeats: int) -> dict[str, Any]:
    """Loss, gradients, clipping, Adam; with no dead features and with a fifth of them dead."""
    import torch

    from faultlens.models.sites import Site
    from faultlens.training.config import OptimiserConfig, SparsityConfig, TrainConfig
    from faultlens.training.harvest import InputScale
    from faultlens.training.plan import DictionaryPlan
    from faultlens.training.trainer import Trainer

    site = Site(4, "resid_pre")
    plan = DictionaryPlan("bench", "topk", site, site, D_IN, D_IN, D_SAE, K, 0)
    x = torch.randn(BATCH, D_IN, generator=torch.Generator().manual_seed(0))
    scale = InputScale.of(x)
    found: dict[str, Any] = {}
    for name, dead in (("no dead features", 0), ("a fifth dead", D_SAE // 5)):
        ways: dict[str, Any] = {}
        for precision in ("float32", "bfloat16"):
            how = OptimiserConfig(precision=precision, dead_after=10**9)
            config = TrainConfig(layers=(4,), sparsity=SparsityConfig(k=(K,)), optimiser=how)
            trainer = Trainer.of(plan, config, 100, scale, scale, {}, torch.device("cpu"))

            def ours(trainer: Trainer = trainer, dead: int = dead) -> None:
                trainer.silent[:dead] = 2 * 10**9
                trainer.step(x, x)

            ways[precision] = ours
        ways["SAELens"] = _saelens_step(x * scale.factor, dead)
        seconds = paired(ways, repeats)
        found[name] = {
            "seconds": {way: summary(taken) for way, taken in seconds.items()},
            "times as quick": {
                way: ratio(seconds["SAELens"], seconds[way]) for way in ("float32", "bfloat16")
            },
        }
    return found


def _saelens_step(x: Any, dead: int) -> Any:
    """SAELens's trainer on given activations, its step as it is."""
    import torch
    from sae_lens.config import LoggingConfig, SAETrainerConfig
    from sae_lens.saes import TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.training.sae_trainer import SAETrainer

    torch.manual_seed(0)
    sae = TopKTrainingSAE(TopKTrainingSAEConfig(d_in=D_IN, d_sae=D_SAE, k=K))
    config = SAETrainerConfig(
        total_training_samples=100 * BATCH, train_batch_size_samples=BATCH, lr=1e-3, lr_end=1e-4,
        dead_feature_window=1000, logger=LoggingConfig(log_to_wandb=False),
        n_batches_for_norm_estimate=1, device="cpu",
    )  # fmt: skip
    trainer = SAETrainer(config, sae, iter([]))

    def theirs() -> None:
        trainer.n_forward_passes_since_fired[:dead] = 10**6
        trainer.step(x)
        trainer.n_training_steps += 1

    return theirs


def run(repeats: int) -> dict[str, Any]:
    """Tokens a second from token ids to learnt weights, four dictionaries."""
    import numpy as np
    import torch

    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    import gpt2_shape

    with tempfile.TemporaryDirectory() as folder:
        gpt2_shape.use(Path(folder) / "hub")
        rows = np.random.default_rng(0).integers(0, 50_000, (RUN_TOKENS // 127 + 200, 127))
        ours, more = _our_run(rows)
        theirs = [_saelens_run(rows, site) for site in SITES]

        def one_after_the_other() -> None:
            for way in theirs:
                way()

        seconds = paired({"FaultLens": ours, "SAELens": one_after_the_other}, repeats)
        tokens = RUN_TOKENS
        return {
            "tokens": tokens,
            "dictionaries": len(SITES),
            "threads": torch.get_num_threads(),
            "tokens a second": {
                way: summary([tokens / s for s in taken]) for way, taken in seconds.items()
            },
            "times as quick": ratio(seconds["SAELens"], seconds["FaultLens"]),
            "MB above model and dictionaries": more,
        }


def _our_run(rows: Any) -> tuple[Any, float]:
    """A run, and the memory that its first one took."""
    import torch

    import faultlens as fl
    from faultlens.models.sites import Site
    from faultlens.training import learning
    from faultlens.training.config import OptimiserConfig, SparsityConfig, TrainConfig
    from faultlens.training.harvest import Harvest, InputScale
    from faultlens.training.plan import DictionaryPlan
    from faultlens.training.stream import TokenStream
    from faultlens.training.trainer import Trainer

    model = fl.load("gpt2", "gpt2-small-res-jb", [6]).model
    sites = [Site.parse(name) for name in SITES]
    harvest = Harvest(model, tuple(sites), [model.bos_id])
    stream = TokenStream(list(rows), 0)
    config = TrainConfig(
        layers=(6,), tokens=RUN_TOKENS, sparsity=SparsityConfig(k=(K,)),
        optimiser=OptimiserConfig(batch_tokens=BATCH),
    )  # fmt: skip
    plans = [DictionaryPlan(s.name, "topk", s, s, D_IN, D_IN, D_SAE, K, 0) for s in sites]
    blocks = learning.Blocks.of(model, sites, config)
    first = harvest.block(stream, 0, blocks.tokens)
    scales = {site: InputScale.of(value) for site, value in first.values.items()}
    trainers = [
        Trainer.of(plan, config, 100, scales[plan.site], scales[plan.site], {}, torch.device("cpu"))
        for plan in plans
    ]
    for trainer in trainers:
        x = first.values[trainer.plan.site][:BATCH]
        trainer.choose_precision(x, x)
    before = _peak_mb()

    def ours() -> None:
        for number in range(RUN_TOKENS // blocks.tokens):
            block = harvest.block(stream, number * blocks.tokens, blocks.tokens)
            learning._learn_block(trainers, scales, block, blocks.batch)

    ours()
    return ours, round(_peak_mb() - before, 1)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _saelens_run(rows: Any, site: str) -> Any:
    """SAELens's runner's own store of activations and trainer, on the same tokens."""
    import torch
    from datasets import Dataset
    from sae_lens.config import LanguageModelSAERunnerConfig, LoggingConfig
    from sae_lens.llm_sae_training_runner import LanguageModelSAETrainingRunner
    from sae_lens.saes import TopKTrainingSAEConfig
    from sae_lens.training.sae_trainer import SAETrainer
    from transformer_lens import HookedTransformer

    global _THEIR_MODEL
    if _THEIR_MODEL is None:
        _THEIR_MODEL = HookedTransformer.from_pretrained("gpt2", device="cpu")
    bos = _THEIR_MODEL.tokenizer.bos_token_id
    dataset = Dataset.from_dict({"tokens": [[bos, *map(int, row)] for row in rows] * 2})
    config = LanguageModelSAERunnerConfig(
        sae=TopKTrainingSAEConfig(
            d_in=D_IN, d_sae=D_SAE, k=K, normalize_activations="expected_average_only_in"
        ),
        model_name="gpt2", hook_name=site, dataset_path="", is_dataset_tokenized=True,
        streaming=False, context_size=128, training_tokens=RUN_TOKENS,
        train_batch_size_tokens=BATCH, n_batches_in_buffer=8, store_batch_size_prompts=32,
        lr=1e-3, lr_end=1e-4, device="cpu", n_batches_for_norm_estimate=1, output_path=None,
        checkpoint_path=None, logger=LoggingConfig(log_to_wandb=False), verbose=False,
        exclude_special_tokens=True,
    )  # fmt: skip
    torch.manual_seed(0)
    runner = LanguageModelSAETrainingRunner(config, dataset, _THEIR_MODEL)

    def theirs() -> None:
        trainer = SAETrainer(
            config.to_sae_trainer_config(), runner.sae, runner.activations_store,
            runner.evaluator, runner.save_checkpoint,
        )  # fmt: skip
        trainer.activation_scaler.scaling_factor = 1.0
        while trainer.n_training_samples < RUN_TOKENS:
            trainer.step(next(trainer.data_provider))
            trainer.n_training_steps += 1

    return theirs


_THEIR_MODEL: Any = None


def quality(repeats: int) -> dict[str, Any]:
    """FVU on held-out text after the same batches, at the same k and width, seed by seed: mini."""
    from itertools import islice

    import torch

    import faultlens as fl
    from faultlens.mini.recipe.text import documents
    from faultlens.models.fit import measure_fit
    from faultlens.models.sae_folder import load_sae_folder
    from faultlens.models.sites import Site
    from faultlens.training.config import OptimiserConfig, SparsityConfig, TrainConfig
    from faultlens.training.run import train_dictionaries

    model = fl.load("mini", layers=[3]).model
    texts = list(islice(documents("train"), 12_000))
    rows = [model.ids(text)[:127] for text in islice(documents("held-out"), 200)]
    site, tokens = Site(3, "resid_mid"), 200 * 2048
    config = TrainConfig(
        layers=(3,), sites=("resid_mid",), tokens=tokens, seeds=(0, 1, 2), held_out=2000,
        sparsity=SparsityConfig(k=(32,)), optimiser=OptimiserConfig(dead_after=50 * 2048),
    )  # fmt: skip
    found: dict[str, list[float]] = {"FaultLens": [], "SAELens": []}
    with tempfile.TemporaryDirectory() as folder:
        for made in train_dictionaries(model, texts, config, Path(folder) / "ours").dictionaries:
            loaded = load_sae_folder(made.folder, "ours", torch.device("cpu"))
            found["FaultLens"].append(measure_fit(model, loaded, rows, 1).fvu)
        for seed in config.seeds:
            path = Path(folder) / f"theirs-{seed}"
            _saelens_trained(model, texts, site, tokens, seed, path)
            loaded = load_sae_folder(path, "theirs", torch.device("cpu"))
            found["SAELens"].append(measure_fit(model, loaded, rows, 1).fvu)
    return {"tokens": tokens, "FVU by seed": found} | {
        "mean difference, ours - theirs": sum(found["FaultLens"]) / 3 - sum(found["SAELens"]) / 3
    }


def _saelens_trained(model: Any, texts: Any, site: Any, tokens: int, seed: int, out: Path) -> None:
    """SAELens's trainer on the batches that ours learns from, with the same rates."""
    import torch
    from sae_lens.config import LoggingConfig, SAETrainerConfig
    from sae_lens.saes import TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.saes.sae import SAEMetadata
    from sae_lens.training.sae_trainer import SAETrainer

    from faultlens.training.harvest import Harvest
    from faultlens.training.stream import split_corpus

    stream, _ = split_corpus(model, texts, 128, 2000, 0, lambda done: None)
    harvest, batch = Harvest(model, (site,), [model.bos_id]), 2048

    def batches() -> Any:
        start = 0
        while True:
            yield from harvest.block(stream, start, 20 * batch).values[site].split(batch)
            start += 20 * batch

    torch.manual_seed(seed)
    metadata = SAEMetadata(hook_name=site.name, prepend_bos=True, model_name="mini")
    sae = TopKTrainingSAE(
        TopKTrainingSAEConfig(
            d_in=192, d_sae=1536, k=32, normalize_activations="expected_average_only_in",
            metadata=metadata,
        )
    )  # fmt: skip
    config = SAETrainerConfig(
        total_training_samples=tokens, train_batch_size_samples=batch, lr=1e-3, lr_end=1e-4,
        lr_warm_up_steps=4, lr_decay_steps=60, dead_feature_window=50, device="cpu",
        n_batches_for_norm_estimate=20, logger=LoggingConfig(log_to_wandb=False),
    )  # fmt: skip
    SAETrainer(config, sae, batches()).fit().save_inference_model(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=list(PARTS))
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results["machine"] = {"cores": os.cpu_count(), "platform": platform.platform()}
    for part in given.parts:
        results[part] = globals()[part](given.repeats)
        print(json.dumps({part: results[part]}, indent=1), flush=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
