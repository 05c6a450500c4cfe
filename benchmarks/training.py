"""Training dictionaries against SAELens's own trainer: `python benchmarks/training.py [PART …]`.

Parts: check (loss and gradients are SAELens's on this device, and the same each time); step (one
TopK step, activations given); memory (that four TopK dictionaries of GPT-2's shape take, from token
ids on); run (the same, timed against SAELens's runner doing the four one after the other, and
against its runner of several); quality (FVU at equal tokens, k and width on `mini`, seed by seed).
The ways take turns within each repeat. Times are seconds of the processor on one thread, so that
other work on the machine counts little; on another device they are seconds of the clock. Each part
takes under four minutes.

    FAULTLENS_REFERENCE_DATA=DATA python benchmarks/training.py
    FAULTLENS_REFERENCE_DATA=DATA python benchmarks/training.py --device cuda

FAULTLENS_REFERENCE_DATA names the folder with GPT-2's tokenizer; no network is needed. Results go
to `benchmarks/results/training.json`, those of another device to `training_DEVICE.json`;
`benchmarks/performance.py` puts them into `docs/performance.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from engine import machine, paired, peak_above, ratio, summary  # noqa: E402

PARTS = ("check", "step", "memory", "run", "quality")
D_IN, D_SAE, K, BATCH = 768, 6144, 32, 4096
SITES = ("blocks.2.hook_resid_pre", "blocks.4.hook_resid_pre", "blocks.4.hook_mlp_out",
         "blocks.6.hook_resid_pre")  # fmt: skip
CONTEXT = 128
RUN_BATCH = {"cpu": 2048, "cuda": 4096}
RUN_BATCHES = {"cpu": 1, "cuda": 32}  # of each way in one repeat; set-up is not timed
CLOCK = {"cpu": time.process_time, "cuda": time.perf_counter}
QUALITY = {"tokens": 100 * 2048, "width": "4x", "batch": 2048, "seeds": (0, 1, 2)}
MB = 1e6


def finished(way: Callable[[], object], device: Any) -> Callable[[], object]:
    """The same, until the device has done it."""
    import torch

    def whole() -> None:
        way()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return whole


def check(repeats: int, device: Any) -> dict[str, Any]:
    """Largest difference from SAELens's loss and gradients, over the largest gradient."""
    import torch

    from faultlens.training.dense_step import DenseStep
    from faultlens.training.sparse_step import SparseStep

    x = torch.randn(512, D_IN, generator=torch.Generator().manual_seed(1)).to(device)
    x[:, :5] += 3  # some features fire on most tokens
    dead = torch.arange(4 * D_IN, device=device) < D_IN
    found: dict[str, Any] = {}
    for kind in ("topk", "batchtopk"):
        theirs = untrained(kind, device)
        loss = DenseStep(theirs)(x, dead, {}, 0).loss
        for coarse in (False, True):
            ours, again = untrained(kind, device), untrained(kind, device)
            readings = [SparseStep(o, K, kind != "topk", coarse)(x, x, dead) for o in (ours, again)]
            pairs = list(zip(ours.parameters(), theirs.parameters(), strict=True))
            off = max(float((a.grad - b.grad).abs().max() / b.grad.abs().max()) for a, b in pairs)
            same = all(
                torch.equal(a.grad, b.grad)
                for a, b in zip(ours.parameters(), again.parameters(), strict=True)
            )
            name = f"{kind}, {'bfloat16' if coarse else 'float32'}"
            found[name] = {
                "loss": abs(readings[0].loss / loss - 1),
                "gradients": off,
                "twice the same": same and readings[0].loss == readings[1].loss,
            }
    return found


def untrained(kind: str, device: Any) -> Any:
    """A training SAE with norms and biases that matter."""
    import torch

    from faultlens.models.sites import Site
    from faultlens.training.config import SparsityConfig
    from faultlens.training.kinds import training_sae
    from faultlens.training.plan import DictionaryPlan

    site = Site(4, "resid_pre")
    plan = DictionaryPlan("check", kind, site, site, D_IN, D_IN, 4 * D_IN, K, 0)
    sae = training_sae(plan, SparsityConfig(), 100, {}, device)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        sae.W_dec.mul_(0.5 + torch.rand(plan.d_sae, 1, generator=generator).to(device))
        sae.b_dec.copy_(torch.randn(D_IN, generator=generator))
        sae.b_enc.copy_(0.3 * torch.randn(plan.d_sae, generator=generator))
    return sae


def step(repeats: int, device: Any) -> dict[str, Any]:
    """Loss, gradients, clipping, Adam; with no dead features and with a fifth of them dead."""
    import torch
    from training_rivals import Rival

    x = torch.randn(BATCH, D_IN, generator=torch.Generator().manual_seed(0)).to(device)
    rival = Rival(D_IN, D_SAE, K, BATCH, 1000, device)
    theirs = {"SAELens": False} | ({"SAELens, autocast": True} if device.type == "cuda" else {})
    found: dict[str, Any] = {}
    for name, dead in (("no dead features", 0), ("a fifth dead", D_SAE // 5)):
        ways = {p: our_step(x, dead, p) for p in ("float32", "bfloat16")}
        ways |= {way: rival.step(x, dead, autocast) for way, autocast in theirs.items()}
        ways = {way: finished(several(of, device), device) for way, of in ways.items()}
        seconds = paired(ways, repeats, clock=CLOCK[device.type])
        each = {w: [s / STEPS[device.type] for s in taken] for w, taken in seconds.items()}
        found[name] = {
            "seconds": {way: summary(taken) for way, taken in each.items()},
            "times as quick": {
                way: ratio(seconds["SAELens"], seconds[way]) for way in ("float32", "bfloat16")
            },
        }
    return found


STEPS = {"cpu": 1, "cuda": 50}  # in one timing


def several(way: Callable[[], object], device: Any) -> Callable[[], object]:
    def whole() -> None:
        for _ in range(STEPS[device.type]):
            way()

    return whole


def our_step(x: Any, dead: int, precision: str) -> Callable[[], object]:
    from faultlens.models.sites import Site
    from faultlens.training.config import OptimiserConfig, SparsityConfig, TrainConfig
    from faultlens.training.harvest import InputScale
    from faultlens.training.plan import DictionaryPlan
    from faultlens.training.trainer import Trainer

    site = Site(4, "resid_pre")
    plan = DictionaryPlan("bench", "topk", site, site, D_IN, D_IN, D_SAE, K, 0)
    how = OptimiserConfig(encoder_precision=precision, dead_after=10**9)  # type: ignore[arg-type]
    config = TrainConfig(layers=(4,), sparsity=SparsityConfig(k=(K,)), optimiser=how)
    scale = InputScale.of(x)
    trainer = Trainer.of(plan, config, 1000, scale, scale, {}, x.device)

    def way() -> None:
        trainer.silent[:dead] = 2 * 10**9
        trainer.step(x, x)

    return way


def run(repeats: int, device: Any) -> dict[str, Any]:
    """Tokens a second from token ids to learnt weights, four dictionaries."""
    import gpt2_shape
    import torch
    from training_rivals import Rival, Runners, random_rows

    with tempfile.TemporaryDirectory() as folder:
        gpt2_shape.use_model(Path(folder) / "hub")
        batch = RUN_BATCH[device.type]
        tokens = RUN_BATCHES[device.type] * batch
        rows = random_rows(max(400, 4 * tokens // CONTEXT), CONTEXT, bos=50256)
        ours, _ = our_run(rows, device, batch)
        rival = Rival(D_IN, D_SAE, K, batch, 10**6, device)
        ways = {"FaultLens": ours} | Runners(rival, SITES, rows, CONTEXT, tokens).ways()
        for way in ways.values():
            way(batch)  # fills buffers, sets the optimisers up
        timed = {name: finished(lambda way=way: way(tokens), device) for name, way in ways.items()}
        seconds = paired(timed, repeats, False, CLOCK[device.type])
    ours_taken = seconds.pop("FaultLens")
    return {
        "tokens": tokens,
        "batch": batch,
        "dictionaries": len(SITES),
        "threads": torch.get_num_threads(),
        "tokens a second": {
            way: summary([tokens / s for s in taken])
            for way, taken in {"FaultLens": ours_taken, **seconds}.items()
        },
        "times as quick as": {way: ratio(taken, ours_taken) for way, taken in seconds.items()},
    }


def memory(repeats: int, device: Any) -> dict[str, Any]:
    """What learning from two blocks takes at most beyond what was there before it."""
    import gpt2_shape
    from training_rivals import random_rows

    with tempfile.TemporaryDirectory() as folder:
        gpt2_shape.use_model(Path(folder) / "hub")
        way, held = our_run(random_rows(400, CONTEXT, bos=50256), device, RUN_BATCH[device.type])
        more = memory_above(lambda: way(2 * held["tokens"]), device)
    return {
        "MB above model and dictionaries": round(more / MB),
        "of them the optimiser's state": round(held["optimiser"] / MB),
        "of them the buffer of activations": round(held["buffer"] / MB),
    }


def our_run(rows: Any, device: Any, batch: int) -> tuple[Callable[[int], object], dict[str, int]]:
    """A way to learn from so many tokens, and what it holds.

    That is, `tokens` of a block, and bytes of its values (`buffer`) and of the `optimiser`'s state,
    two moments of every parameter.
    """

    from faultlens.models.load import load_model
    from faultlens.models.sites import Site
    from faultlens.training import learning
    from faultlens.training.config import OptimiserConfig, SparsityConfig, TrainConfig
    from faultlens.training.harvest import Harvest, InputScale
    from faultlens.training.plan import DictionaryPlan
    from faultlens.training.stream import TokenStream
    from faultlens.training.trainer import Trainer

    model = load_model("gpt2", str(device))
    sites = [Site.parse(name) for name in SITES]
    harvest = Harvest(model, tuple(sites), [model.bos_id])
    stream = TokenStream([row[1:] for row in rows], 0)
    config = TrainConfig(
        layers=(6,), tokens=10**6, sparsity=SparsityConfig(k=(K,)),
        optimiser=OptimiserConfig(batch_tokens=batch),
    )  # fmt: skip
    plans = [DictionaryPlan(s.name, "topk", s, s, D_IN, D_IN, D_SAE, K, 0) for s in sites]
    blocks = learning.Blocks.of(model, sites, config)
    first = harvest.block(stream, 0, blocks.tokens)
    scales = {site: InputScale.of(value) for site, value in first.values.items()}
    trainers = [
        Trainer.of(plan, config, 10**6, scales[plan.site], scales[plan.site], {}, device)
        for plan in plans
    ]
    for trainer in trainers:
        x = first.values[trainer.plan.site][:batch]
        trainer.choose_precision(x, x)
    del first
    at = [0]

    def way(wanted: int) -> None:
        for done in range(0, wanted, blocks.tokens):
            count = min(wanted - done, blocks.tokens)
            block = harvest.block(stream, at[0], count)
            learning.learn_block(trainers, scales, block, blocks.batch)
            del block  # as `learn` does: one block is held at a time
            at[0] += count

    parameters = [p for trainer in trainers for p in trainer.adam.param_groups[0]["params"]]
    return way, {
        "tokens": blocks.tokens,
        "buffer": blocks.tokens * 4 * sum(model.width(site) for site in sites),
        "optimiser": 2 * sum(p.numel() * p.element_size() for p in parameters),
    }


def memory_above(work: Callable[[], object], device: Any) -> float:
    """Bytes that `work` takes at most beyond what was held before."""
    import torch

    if device.type != "cuda":
        return peak_above(work)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work()
    return torch.cuda.max_memory_allocated() - before


def quality(repeats: int, device: Any) -> dict[str, Any]:
    """FVU on held-out text after the same batches, at the same k and width, seed by seed: mini."""
    from training_rivals import Rival

    from faultlens.mini.recipe.text import documents
    from faultlens.models.fit import measure_fit
    from faultlens.models.load import load_model
    from faultlens.models.sae_folder import load_sae_folder
    from faultlens.training.config import OptimiserConfig, SparsityConfig, TrainConfig
    from faultlens.training.run import train_dictionaries

    model = load_model("mini", str(device))
    texts = list(islice(documents("train"), 6_000))
    rows = [model.ids(text)[:127] for text in islice(documents("held-out"), 200)]
    batch, tokens, seeds = QUALITY["batch"], QUALITY["tokens"], QUALITY["seeds"]
    steps = tokens // batch
    config = TrainConfig(
        layers=(3,), sites=("resid_mid",), tokens=tokens, seeds=seeds, held_out=2000,
        width=(QUALITY["width"],), sparsity=SparsityConfig(k=(K,)),
        optimiser=OptimiserConfig(dead_after=50 * batch, batch_tokens=batch),
    )  # fmt: skip
    found: dict[str, list[dict[str, float]]] = {"FaultLens": [], "SAELens": []}

    def add(way: str, folder: Path) -> None:
        fit = measure_fit(model, load_sae_folder(folder, way, device), rows, 1)
        found[way].append({"FVU": round(fit.fvu, 4), "dead": round(1 - fit.firing_share, 3)})

    with tempfile.TemporaryDirectory() as folder:
        run = train_dictionaries(model, texts, config, Path(folder) / "ours")
        for made in run.dictionaries:
            add("FaultLens", made.folder)
        site = run.dictionaries[0].plan.site
        rival = Rival(model.width(site), run.dictionaries[0].plan.d_sae, K, batch, steps, device)
        for seed in seeds:
            out = Path(folder) / f"theirs-{seed}"
            rival.trained(our_batches(model, texts, site, batch), seed, site.name, out)
            add("SAELens", out)
    fvu = {way: [one["FVU"] for one in of] for way, of in found.items()}
    return {
        "tokens": tokens,
        "site": site.name,
        "features": rival.d_sae,
        "held-out tokens": sum(map(len, rows)),
        "by seed": found,
        "FVU, mean": {way: round(sum(of) / len(of), 4) for way, of in fvu.items()},
    }


def our_batches(model: Any, texts: list[str], site: Any, batch: int) -> Iterator[Any]:
    """The batches that ours learns from, in its order."""
    from faultlens.training.harvest import Harvest
    from faultlens.training.stream import split_corpus

    stream, _ = split_corpus(model, texts, 128, 2000, 0, lambda done: None)
    harvest, start = Harvest(model, (site,), [model.bos_id]), 0
    while True:
        yield from harvest.block(stream, start, 20 * batch).values[site].split(batch)
        start += 20 * batch


def machine_of(device: Any) -> dict[str, Any]:
    import torch

    card = {"device": torch.cuda.get_device_name(device)} if device.type == "cuda" else {}
    clock = "seconds" if card else "processor seconds"
    threads = torch.get_num_threads()
    return machine() | card | {"clock": f"{clock} on {threads} thread{'s'[: threads != 1]}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--repeats", type=int, default=None)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, help="the file to write to")
    given = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    warnings.simplefilter("ignore")
    import torch
    from training_rivals import without_wandb

    without_wandb()
    torch.set_num_threads(given.threads)
    device = torch.device(given.device)
    name = "training.json" if given.device == "cpu" else f"training_{given.device}.json"
    path = given.results or HERE / "results" / name
    results = json.loads(path.read_text()) if path.exists() else {}
    results["machine"] = machine_of(device)
    repeats = given.repeats or {"cpu": 2, "cuda": 5}[given.device]
    for part in given.parts or PARTS:
        began = time.perf_counter()
        results[part] = globals()[part](repeats, device)
        results[part]["load"] = round(os.getloadavg()[0], 1)
        print(f"{part}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        print(json.dumps({part: results[part]}, indent=1), flush=True)
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
