"""What a GPU gains, nothing downloaded: `python benchmarks/gpu.py [PART …] [--device cuda]`.

Parts: reading, audit. (Training has a part of its own: `benchmarks/training.py --device cuda`.)
The network has GPT-2 small's shape and random weights, its tokenizer is mini's, the dictionaries
are random directions of which about 109 fire on a token. Reading is compared on the same card with
a careful peer: one pass for all dictionaries through transformers, buckets of texts of like length,
SAELens's encoder on real tokens only; the values have to be equal. The same code runs without a
GPU: `--device cpu --small`. How many texts are read follows from how long a few of them take, so
that the part ends within `--seconds`. The audit is of 300 prompts, one dictionary, all steps; it is
not begun again in bfloat16 where it would end after `--minutes` (seven) in all, which is then said.
Writes `benchmarks/results/gpu.json`.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import audit_run
import numpy as np
import torch
import transformers
from training_rivals import without_wandb

import faultlens as fl
from faultlens.auditing.config import AuditConfig
from faultlens.auditing.study import audit_task
from faultlens.features.lens import Lens
from faultlens.models.dictionary import Convention, Dictionary, Relu
from faultlens.models.families import FAMILIES
from faultlens.models.model import Model
from faultlens.models.sites import Site

RESULTS = Path(__file__).parent / "results" / "gpu.json"
PARTS = ("reading", "audit")
LAYERS, FEATURES, FIRING, WIDTH = (6, 8, 10, 11), 24_576, 109, 768
FEW = 24  # texts from which it is told how many can be read
SHARE = 0.8  # of the time that a part may take; the rest is loading and comparing
BUCKET = 64  # texts of like length that go through together, in the careful way
FLOPS_MODEL = 2 * 11 * 12 * WIDTH * WIDTH  # a token through the weights of 11 blocks
FLOPS_DICTIONARIES = 2 * len(LAYERS) * WIDTH * FEATURES
CLOSE = {"float32": 1e-3, "bfloat16": 3e-2}  # relative to the largest value


SHAPE: dict[str, int] = {}  # of the network, where it is not GPT-2 small's
AUDIT: dict[str, Any] = {}  # options of the audit, where they are not as by default
PROMPTS = 300


def use_small_shape() -> None:
    """Two layers of 64 dimensions and 256 features, on which everything runs in a second."""
    global LAYERS, FEATURES, FIRING, WIDTH, FLOPS_MODEL, FLOPS_DICTIONARIES, PROMPTS
    AUDIT.update(permutations=99, baselines=False, test_classes=1, test_attributed=0)
    PROMPTS = 60
    SHAPE.update(n_layer=2, n_embd=64, n_head=2)
    LAYERS, FEATURES, FIRING, WIDTH = (1,), 256, 12, 64
    FLOPS_MODEL = 2 * 12 * WIDTH * WIDTH
    FLOPS_DICTIONARIES = 2 * WIDTH * FEATURES


def waited(device: torch.device) -> float:
    """The clock, once the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def paired(
    ways: dict[str, Callable[[], object]], tries: int, device: torch.device
) -> dict[str, list[float]]:
    """Seconds of each way, in turn within each try; each is run once before, not timed."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(-1, tries):
        for name, way in ways.items():
            began = waited(device)
            way()
            if number >= 0:
                seconds[name].append(waited(device) - began)
    return seconds


def peak_flops(device: torch.device, dtype: torch.dtype) -> float:
    """The best rate of a matrix product of these shapes on this device, in FLOP/s."""
    best = 0.0
    size = 8192 if device.type == "cuda" else 1024
    for m, k, n in ((size, size, size), (size, WIDTH, FEATURES)):
        a, b = (torch.randn(shape, device=device).to(dtype) for shape in ((m, k), (k, n)))
        for _ in range(6):
            began = waited(device)
            torch.mm(a, b)
            best = max(best, 2 * m * k * n / (waited(device) - began))
    return best


def gpt2(device: torch.device, dtype: torch.dtype) -> Model:
    """GPT-2 small's shape, random weights large enough that tokens matter, mini's tokenizer."""
    torch.manual_seed(0)
    config = transformers.GPT2Config(initializer_range=0.06, **SHAPE)
    network = transformers.GPT2LMHeadModel(config).eval().requires_grad_(False)
    tokenizer = fl.load("mini", layers=(2,)).model.tokenizer
    return Model(
        "gpt2-shape", network.to(device, dtype), tokenizer, FAMILIES["gpt2"], digest="random"
    )


def that_fit(
    way: Callable[[list[str]], object], some: list[str], seconds: float, device: torch.device
) -> int:
    """How many of these texts can be read within so many seconds, by reading a few of them."""
    few = some[: min(FEW, len(some))]
    way(few)  # what is loaded and chosen at first use
    began = waited(device)
    way(few)
    return max(len(few), min(len(some), int(seconds / (waited(device) - began) * len(few))))


def texts(count: int) -> list[str]:
    """Texts of 40 to 200 words of the built-in corpus, shuffled."""
    words = " ".join(fl.seven_categories().texts).split()
    rng = random.Random(0)
    return [" ".join(rng.choices(words, k=rng.randint(40, 200))) for _ in range(count)]


def dictionaries(model: Model, some: list[str]) -> tuple[Dictionary, ...]:
    """Random directions, with biases at which features fire at rates spread as real ones are."""
    sites = [Site(layer, "resid_pre") for layer in LAYERS]
    rows = [[model.bos_id, *model.ids(text)] for text in some]
    read = model.read(model.pad(rows), sites)
    made = []
    for number, site in enumerate(sites):
        x = torch.cat([v[1 : len(row)] for v, row in zip(read[site], rows, strict=True)]).float()
        generator = torch.Generator().manual_seed(number)
        W = torch.randn(FEATURES, WIDTH, generator=generator)
        W = (W / W.norm(dim=1, keepdim=True)).to(x.device)
        rate = torch.exp(1.5 * torch.randn(FEATURES, generator=generator))
        rate = (rate * FIRING / rate.sum()).clamp(max=0.9).to(x.device)
        place = (rate * len(x)).long().clamp(max=len(x) - 1)
        bias = torch.empty(FEATURES, device=x.device)
        for start in range(0, FEATURES, 2048):
            part = slice(start, start + 2048)
            sizes = (x @ W[part].T).sort(dim=0, descending=True).values
            bias[part] = -sizes.gather(0, place[None, part])[0] + 1e-3
        made.append(
            Dictionary(
                f"{site.layer}-res-random", site, Relu(), W.T.contiguous(), bias, W,
                torch.zeros(WIDTH, device=x.device), Convention(prepend_bos=True, centred=False),
                "random", "random",
            )
        )  # fmt: skip
    return tuple(made)


class Careful:
    """The careful peer: transformers' pass and SAELens's encoder, real tokens only."""

    def __init__(self, model: Model, read_by: tuple[Dictionary, ...]) -> None:
        without_wandb()
        from sae_lens.saes.standard_sae import StandardSAE, StandardSAEConfig

        self.model, self.saes = model, {}
        for dictionary in read_by:
            config = StandardSAEConfig(
                d_in=WIDTH, d_sae=FEATURES, apply_b_dec_to_input=False, device=str(model.device)
            )
            sae = StandardSAE(config)
            with torch.no_grad():
                sae.W_enc.copy_(dictionary.W_enc)
                sae.W_dec.copy_(dictionary.W_dec)
                sae.b_enc.copy_(dictionary.b_enc)
                sae.b_dec.zero_()
            self.saes[dictionary.site.layer] = sae

    @contextmanager
    def kept(self) -> Any:
        values: dict[int, torch.Tensor] = {}
        blocks = self.model.network.transformer.h
        hooks = [
            blocks[layer].register_forward_pre_hook(
                lambda _, inputs, layer=layer: values.__setitem__(layer, inputs[0])
            )
            for layer in self.saes
        ]
        yield values
        for hook in hooks:
            hook.remove()

    @torch.no_grad()
    def read(self, some: list[str]) -> dict[int, np.ndarray]:
        rows = [[self.model.bos_id, *self.model.ids(text)] for text in some]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        pooled = {layer: np.zeros((len(rows), FEATURES), np.float32) for layer in self.saes}
        for start in range(0, len(order), BUCKET):
            bucket = order[start : start + BUCKET]
            lengths = [len(rows[i]) for i in bucket]
            ids = self.model.pad([rows[i] for i in bucket])
            place = torch.arange(ids.shape[1], device=ids.device)
            real = (place < torch.tensor(lengths, device=ids.device)[:, None]) & (place > 0)
            with self.kept() as values:
                self.model.network.transformer(ids)
            for layer, sae in self.saes.items():
                codes = sae.encode(values[layer][real].float())
                means = [part.mean(0) for part in codes.split([n - 1 for n in lengths])]
                pooled[layer][bucket] = torch.stack(means).cpu().numpy()
        return pooled


def reading(device: torch.device, given: argparse.Namespace) -> dict[str, Any]:
    """Tokens a second in float32 and with the model in bfloat16, ours and the peer's."""
    found: dict[str, Any] = {}
    every = texts(given.texts)
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        model = gpt2(device, dtype)
        lens = Lens(model, dictionaries(model, every[:48])).unchecked()
        peer, kept = Careful(model, lens.dictionaries), {}

        def both(some: list[str], lens: Lens = lens, peer: Careful = peer) -> None:
            lens.read(some, "mean")
            peer.read(some)

        a_try = SHARE * given.seconds / 2 / (given.tries + 1)  # each way once before, not timed
        some = every[: that_fit(both, every, a_try, device)]
        ways: dict[str, Callable[[], object]] = {
            "ours": lambda lens=lens, kept=kept, some=some: kept.update(
                ours=lens.read(some, "mean")
            ),
            "careful peer": lambda peer=peer, kept=kept, some=some: kept.update(
                theirs=peer.read(some)
            ),
        }
        seconds = paired(ways, given.tries, device)
        off = 0.0
        for dictionary in lens.dictionaries:
            theirs = kept["theirs"][dictionary.site.layer]
            mine = kept["ours"][dictionary.name].matrix.toarray()
            off = max(off, float(np.abs(mine - theirs).max() / np.abs(theirs).max()))
        assert off < CLOSE[name], (name, off)
        tokens = sum(len(model.ids(text)) for text in some)
        peaks = peak_flops(device, dtype), peak_flops(device, torch.float32)
        ideal = (tokens + len(some)) * FLOPS_MODEL / peaks[0]
        ideal += tokens * FLOPS_DICTIONARIES / peaks[1]
        medians = {way: statistics.median(of) for way, of in seconds.items()}
        found[name] = {
            "texts": len(some),
            "tokens": tokens,
            "tokens a second": {way: round(tokens / of) for way, of in medians.items()},
            "seconds": {way: [round(s, 3) for s in of] for way, of in seconds.items()},
            "times as quick as the careful peer": round(
                medians["careful peer"] / medians["ours"], 2
            ),
            "peak, TFLOP/s": {
                name: round(peaks[0] / 1e12, 1),
                "float32": round(peaks[1] / 1e12, 1),
            },
            "share of the roofline": {way: round(ideal / of, 3) for way, of in medians.items()},
            "largest difference, relative": float(f"{off:.2g}"),
        }
    return found


def audit(device: torch.device, given: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a whole audit, one dictionary, all steps."""
    found: dict[str, Any] = {}
    config = AuditConfig.of(rule=audit_run.succeeds, **AUDIT)
    task, took = audit_run.failing(42, PROMPTS), 0.0
    prompts = [prompt.text for prompt in task.prompts]
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        if found and time.perf_counter() - given.began + took > 60 * given.minutes:
            found[name] = {"not run": f"the audit before took {took:.0f} s"}
            continue
        model = gpt2(device, dtype)
        one = dictionaries(model, prompts[:100])[: min(2, len(LAYERS))][-1:]  # at layer 8 of GPT-2
        lens = Lens(model, one).unchecked()
        began = waited(device)
        done = audit_task(lens, task, config=config, progress=audit_run.Stopwatch())
        took = waited(device) - began
        found[name] = {
            "seconds": round(took, 1),
            "failures": done.failures,
            "significant classes": len(done.significant),
        }
    return found


def machine(device: torch.device) -> dict[str, Any]:
    cuda = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if cuda else "cpu",
        "threads": torch.get_num_threads(),
        "versions": {
            name: metadata.version(name) for name in ("torch", "transformers", "sae-lens")
        },
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--texts", type=int, default=2_000, help="at most")
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=150.0, help="that reading may take")
    parser.add_argument("--minutes", type=float, default=7.0, help="that all of it may take")
    parser.add_argument("--small", action="store_true", help="a small shape, to try the code out")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    given.began = time.perf_counter()
    device = torch.device(given.device)
    if given.small:
        use_small_shape()
        given.texts, given.tries, given.seconds = 8, 1, 1.0
    results = json.loads(given.out.read_text()) if given.out.exists() else {}
    for part in given.parts or PARTS:
        results[part] = {
            **globals()[part](device, given), "machine": machine(device)
        }  # fmt: skip
        print(json.dumps({part: results[part]}, indent=1), flush=True)
        given.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
