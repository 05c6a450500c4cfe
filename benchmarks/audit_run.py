"""How long a whole audit takes at GPT-2's shape: `python benchmarks/audit_run.py [SEEDS]`.

Target: 300 prompts, one site of 24,576 features, all steps, under 3 minutes on 2 cores for one seed
and under 12 for five. The weights are random: the clock does not mind. The dictionary's biases are
set so that about 109 features fire on a token, as in the published one, and a fifth of the prompts
fails, by what is generated first, so that features go with failure and are tried.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import torch
import transformers

import faultlens as fl
from faultlens.audit.running import decode, tokenize
from faultlens.features.lens import Lens
from faultlens.models.adapter import adapter_for
from faultlens.models.dictionary import Convention, Dictionary, Relu
from faultlens.models.model import Model
from faultlens.models.sites import Site
from faultlens.progress import Tick

LAYER, FEATURES, FIRING, FAILING = 8, 24_576, 109, 0.2


class Stopwatch:
    """Seconds of each stage, from its start to the last tick."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def start(self, stage: str, total: int) -> Tick:
        began = time.perf_counter()

        def tick(done: int) -> None:
            self.seconds[stage] = time.perf_counter() - began

        return tick


def gpt2(tokenizer: Path) -> Model:
    """GPT-2 small's shape and tokenizer, random weights large enough that tokens matter."""
    torch.manual_seed(0)
    config = transformers.GPT2Config(initializer_range=0.06)
    network = transformers.GPT2LMHeadModel(config).eval().requires_grad_(False)
    words = transformers.GPT2TokenizerFast(
        vocab=str(tokenizer / "vocab.json"), merges=str(tokenizer / "merges.txt")
    )
    return Model("gpt2-shape", network, words, adapter_for("gpt2"), digest="random")


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


def main() -> None:
    import os

    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    tokenizer = Path(os.environ["FAULTLENS_REFERENCE_DATA"]) / "gpt2_tokenizer"
    model = gpt2(tokenizer)
    task = fl.tasks.ioi(n=300, seed=42)
    texts = [prompt.text for prompt in task.prompts]
    lens = Lens(model, (sae(model, texts),)).unchecked()
    first = [
        text.split()[0] if text.split() else ""
        for text in decode(model, tokenize(task, model).rows)
    ]
    counts, failing, total = Counter(first).most_common(), set(), 0
    for word, count in reversed(counts):
        if total + count <= FAILING * len(first):
            failing.add(word)
            total += count

    def rule(generated: str, target: str) -> bool:
        return (generated.split() or [""])[0] not in failing

    watch = Stopwatch()
    began, cpu = time.perf_counter(), time.process_time()
    audit = fl.audit(lens, task, rule=rule, progress=watch, fit_check=False)
    whole = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}
    print(f"{audit.failures} failures, {len(audit.significant)} significant classes, seeds {seeds}")
    for stage, seconds in watch.seconds.items():
        print(f"  {stage:<40} {seconds:6.1f} s")
    print(
        json.dumps({k: round(v, 1) for k, v in whole.items()}), f"threads {torch.get_num_threads()}"
    )


if __name__ == "__main__":
    main()
