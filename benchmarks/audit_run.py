"""How long a whole audit takes at GPT-2's shape: `python benchmarks/audit_run.py [SEEDS]`.

Target: 300 prompts, one site of 24,576 features, all steps, under 3 minutes on 2 cores for one seed
and under 12 for five. The weights are random: the clock does not mind. The dictionary's biases are
set so that about 109 features fire on a token, as in the published one, and a fifth of the prompts
is bound to fail, mostly by its object, so that features go with failure and are tried.
"""

from __future__ import annotations

import json
import random
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
import transformers
from gpt2_shape import reference_tokenizer

import faultlens as fl
from faultlens.auditing.config import AuditConfig
from faultlens.auditing.study import audit_over_seeds, audit_task
from faultlens.corpus.task import Task
from faultlens.features.lens import Lens
from faultlens.models.dictionary import Convention, Dictionary, Relu
from faultlens.models.families import FAMILIES
from faultlens.models.model import Model
from faultlens.models.sites import Site
from faultlens.progress import Tick

LAYER, FEATURES, FIRING = 8, 24_576, 109
FAILS = "Zoe"


class Stopwatch:
    """Says when each stage starts, in seconds of the clock and of the processor."""

    def __init__(self) -> None:
        self.began = time.perf_counter(), time.process_time()

    def start(self, stage: str, total: int) -> Tick:
        clock, cpu = time.perf_counter() - self.began[0], time.process_time() - self.began[1]
        print(f"  {clock:7.1f} s  {cpu:7.1f} CPU s  {stage}", flush=True)
        return lambda done: None


def gpt2(tokenizer: Path) -> Model:
    """GPT-2 small's shape and tokenizer, random weights large enough that tokens matter."""
    torch.manual_seed(0)
    config = transformers.GPT2Config(initializer_range=0.06)
    network = transformers.GPT2LMHeadModel(config).eval().requires_grad_(False)
    words = transformers.GPT2TokenizerFast(
        vocab=str(tokenizer / "vocab.json"), merges=str(tokenizer / "merges.txt")
    )
    return Model("gpt2-shape", network, words, FAMILIES["gpt2"], digest="random")


def sae(model: Model, texts: list[str]) -> Dictionary:
    """Random directions, with biases at which features fire at rates spread as real ones are."""
    site = Site(LAYER, "resid_pre")
    rows = [[model.bos_id, *model.ids(text)] for text in texts[:100]]
    ids = model.pad(rows)
    read = model.read(ids, [site])[site]
    x = torch.cat([v[1 : len(row)] for v, row in zip(read, rows, strict=True)])
    x = x - x.mean(-1, keepdim=True)
    generator = torch.Generator().manual_seed(1)
    W = torch.randn(FEATURES, model.d_model, generator=generator)
    W /= W.norm(dim=1, keepdim=True)
    rate = torch.exp(1.5 * torch.randn(FEATURES, generator=generator))
    rate = (rate * FIRING / rate.sum()).clamp(max=0.9)
    sizes, _ = (x @ W.T).sort(dim=0, descending=True)
    place = (rate * len(x)).long().clamp(max=len(x) - 1)
    b_enc = -sizes.gather(0, place[None])[0]
    return Dictionary(
        f"{LAYER}-res-random", site, Relu(), W.T.contiguous(), b_enc, W,
        torch.zeros(model.d_model), Convention(prepend_bos=True, centred=True), "random", "random",
    )  # fmt: skip


def failing(seed: int, n: int = 300) -> Task:
    """The study's prompts, of which a fifth is bound to fail: most of those about the keys."""
    rng = random.Random(seed)
    prompts = []
    for prompt in fl.tasks.ioi(n=n, seed=seed).prompts:
        bound = rng.random() < (0.9 if prompt.factors["object"] == "the keys" else 0.07)
        prompts.append(replace(prompt, target=FAILS if bound else prompt.target))
    return Task("ioi", tuple(prompts))


def succeeds(generated: str, target: str) -> bool:
    """Random weights say nothing: what fails is settled by the prompt."""
    return target != FAILS


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    tokenizer = reference_tokenizer()
    model = gpt2(tokenizer)
    texts = [prompt.text for prompt in fl.tasks.ioi(n=300, seed=42).prompts]
    lens = Lens(model, (sae(model, texts),)).unchecked()
    watch, config = Stopwatch(), AuditConfig(rule=succeeds)
    began, cpu = time.perf_counter(), time.process_time()
    if seeds == 1:
        audit = audit_task(lens, failing(42), config=config, progress=watch)
    else:
        tasks = {seed: failing(seed) for seed in range(42, 42 + seeds)}
        audit = audit_over_seeds(lens, tasks, config=config, progress=watch)
    whole = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}
    print(f"{audit.failures} failures, {len(audit.significant)} significant classes, seeds {seeds}")
    print(
        json.dumps({k: round(v, 1) for k, v in whole.items()}), f"threads {torch.get_num_threads()}"
    )


if __name__ == "__main__":
    main()
