"""The feature engine against its rivals: `make bench`, or `python benchmarks/engine.py [PART …]`.

Parts: reading (a, b, c), memory (d), scale (e), interventions (f), store (g). Everything in one run
on the same work, the ways in turn within each repeat, medians and ranges; results go to
`benchmarks/results/engine.json`, the table to `docs/performance.md` (`benchmarks/performance.py`).
Needs FAULTLENS_REFERENCE_DATA for GPT-2's tokenizer, and the extra `fast`.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import gpt2_shape  # noqa: E402

RESULTS = HERE / "results" / "engine.json"
PARTS = ("reading", "memory", "scale", "interventions", "store")
FLOPS_MODEL = 2 * 11 * 12 * 768 * 768  # a token through the weights of 11 blocks
FLOPS_DICTIONARIES = 2 * 4 * 768 * gpt2_shape.FEATURES


def paired(
    ways: dict[str, Callable[[], object]],
    repeats: int,
    warm: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each way, in turn within each repeat; each is run once before, not timed."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(-int(warm), repeats):
        for name, way in ways.items():
            began = clock()
            way()
            if repeat >= 0:
                seconds[name].append(clock() - began)
            gc.collect()
    return seconds


def summary(seconds: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(seconds), 4),
        "least": round(min(seconds), 4),
        "most": round(max(seconds), 4),
        "repeats": len(seconds),
    }


def ratio(of: list[float], to: list[float]) -> dict[str, float]:
    """Of the repeats: how many times as long the first took as the second."""
    return summary([a / b for a, b in zip(of, to, strict=True)])


def lens_and_texts() -> tuple[Any, list[str]]:
    import faultlens as fl

    return fl.load("gpt2", gpt2_shape.RELEASE, layers=gpt2_shape.LAYERS), gpt2_shape.texts()


def shapes_of(lens: Any, texts: list[str], way: str) -> Any:
    """How texts are read by a way: `plain`, or `compiled` in the precision that is quicker."""
    return lens.shapes(lens.tokenize(texts), way)


def peak_flops(repeats: int = 5, clock: Callable[[], float] = time.perf_counter) -> float:
    """Measured float32 matrix peak: the best of several shapes, in FLOP/s."""
    import torch

    best = 0.0
    for m, k, n in ((2048, 2048, 2048), (1024, 768, 3072), (512, 768, 24_576)):
        a, b = torch.randn(m, k), torch.randn(k, n)
        for _ in range(repeats):
            began = clock()
            torch.mm(a, b)
            best = max(best, 2 * m * k * n / (clock() - began))
    return best


def reading(repeats: int) -> dict[str, Any]:
    import numpy as np
    import rivals

    lens, texts = lens_and_texts()
    model, saes = rivals.load(gpt2_shape.RELEASE, layers=gpt2_shape.LAYERS)
    shapes = {way: shapes_of(lens, texts, way) for way in ("plain", "compiled")}
    tables: dict[str, Any] = {}

    def ours(way: str) -> None:
        tables[way] = lens.read(texts, "mean", shapes=shapes[way])

    theirs: dict[str, Any] = {}
    ways: dict[str, Callable[[], object]] = {
        "plain": lambda: ours("plain"),
        "compiled": lambda: ours("compiled"),
        "careful": lambda: theirs.update(careful=rivals.careful(model, saes, texts)),
    }
    seconds = paired(ways, 2 * repeats + 1)
    peaks = [peak_flops()]
    both = {**ways, "notebook": lambda: theirs.update(notebook=rivals.notebook(model, saes, texts))}
    with_notebook = paired(both, repeats, warm=False)
    peaks.append(peak_flops())
    for name in ("careful", "notebook"):  # what is compared computes the same
        for i, hook in enumerate(saes):
            for encoding in ("plain", "compiled"):
                mine = list(tables[encoding].values())[i].matrix.toarray()
                off = np.abs(mine - theirs[name][hook]).max() / np.abs(theirs[name][hook]).max()
                assert off < 1e-3, (name, hook, encoding, off)
    tokens = int(sum(next(iter(tables["plain"].values())).rows["tokens"]))
    real = tokens + len(texts)
    flops = real * FLOPS_MODEL + tokens * FLOPS_DICTIONARIES
    peak = max(peaks)
    fires = sum(t.matrix.nnz for t in tables["plain"].values())
    return {
        "texts": len(texts),
        "tokens": tokens,
        "shapes": asdict(shapes["compiled"]),
        "seconds": {name: summary(of) for name, of in {**seconds, **{
            "notebook": with_notebook["notebook"]}}.items()},
        "against the careful version": {
            way: ratio(seconds["careful"], seconds[way]) for way in ("plain", "compiled")
        },
        "against the notebook": {
            way: ratio(with_notebook["notebook"], with_notebook[way])
            for way in ("plain", "compiled")
        },
        "float32 peak, GFLOP/s": round(peak / 1e9, 1),
        "FLOP": flops,
        "time against FLOP / peak": {
            way: summary([s * peak / flops for s in of]) for way, of in seconds.items()
        },
        "features firing in a text": round(fires / len(texts) / len(tables["plain"])),
    }  # fmt: skip


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak_above(work: Callable[[], object]) -> int:
    """Bytes of resident memory that `work` takes at most beyond what was there before.

    What was freed before goes back to the system first: else it would pass for weights.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    before, most, done = resident(), [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            most[0] = max(most[0], resident())
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return max(0, most[0] - before)


def memory_of(way: str, times: int) -> int:
    """In this process: load the weights, warm up on two texts, then read the corpus."""
    texts = gpt2_shape.texts()
    if way in ("careful", "notebook"):
        import rivals

        model, saes = rivals.load(gpt2_shape.RELEASE, layers=gpt2_shape.LAYERS)
        read = getattr(rivals, way)
        read(model, saes, texts[:2])
        return peak_above(lambda: read(model, saes, texts * times))
    lens, texts = lens_and_texts()
    shapes = shapes_of(lens, texts, way)
    lens.read(texts[:2], shapes=shapes)
    return peak_above(lambda: lens.read(texts * times, shapes=shapes))


def in_a_process(way: str, times: int) -> float:
    """The same in a process of its own, in MB."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--threads", os.environ["OMP_NUM_THREADS"],
         "--memory", way, str(times)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return round(int(done.stdout.split()[-1]) / 1e6, 1)


def memory(repeats: int) -> dict[str, Any]:
    ways = ("plain", "compiled", "careful", "notebook")
    return {f"{way}, MB above the weights": in_a_process(way, 1) for way in ways}


def scale(repeats: int) -> dict[str, Any]:
    """Statistics of 1, 4 and 16 times the corpus: time a token, and memory while it is read."""
    lens, texts = lens_and_texts()
    shapes = shapes_of(lens, texts, "compiled")
    tokens = sum(len(lens.model.ids(text)) for text in texts)
    ways: dict[str, Callable[[], object]] = {
        str(times): (lambda times=times: lens.statistics(texts * times, shapes=shapes))
        for times in (1, 4, 16)
    }
    ways["1"]()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    peaks: dict[str, int] = dict.fromkeys(ways, 0)
    for name in ("1", "1", "4", "1", "1", "16", "1", "1", "4", "1", "1"):
        began = time.perf_counter()
        peaks[name] = max(peaks[name], peak_above(ways[name]))
        seconds[name].append((time.perf_counter() - began) / int(name) / tokens * 1e3)
    return {
        "milliseconds a token": {name: summary(of) for name, of in seconds.items()},
        "16x against 1x": round(
            statistics.median(seconds["16"]) / statistics.median(seconds["1"]), 3
        ),
        "MB above the weights": {name: round(peak / 1e6, 1) for name, peak in peaks.items()},
    }


def interventions(repeats: int) -> dict[str, Any]:
    """50 single-feature ablations at layer 8 on 64 prompts: restarted there, or whole passes."""
    import torch

    from faultlens.models.restart import Restart
    from faultlens.models.sites import Site

    lens, texts = lens_and_texts()
    model, dictionary = lens.model, lens.dictionaries[1]
    site = Site(8, "resid_pre")
    rows = [[model.bos_id, *model.ids(texts[i % len(texts)])[:15]] for i in range(64)]
    ids = model.pad(rows)
    at = torch.tensor([len(row) - 1 for row in rows])
    residual = model.read(ids, [site])[site]
    table = lens.read(texts)[dictionary.name].matrix
    features = table.sum(0).A1.argsort()[::-1][:50].tolist()
    flat = residual.reshape(-1, residual.shape[-1])
    prepared = dictionary.prepare(flat)

    def edit_of(feature: int) -> Callable[[Any], Any]:
        def edit(value: Any) -> Any:
            pre = prepared @ dictionary.W_enc[:, feature] + dictionary.b_enc[feature]
            steps = -torch.relu(pre)[:, None]
            return value + dictionary.raised(flat, steps, [feature]).reshape(value.shape)

        return edit

    logits: dict[str, list[Any]] = {}

    @torch.no_grad()
    def ablate(some: list[int], restart: Restart | None, name: str) -> None:
        logits[name] = [
            model.logits(ids, at=at, edits={site: edit_of(f)}, restart=restart) for f in some
        ]

    seconds: dict[str, list[float]] = {"restart": [], "whole": []}
    for block in ([features[0]], *(features[i : i + 10] for i in range(0, 50, 10))):
        timed = paired(
            {
                "restart": lambda b=block: ablate(b, Restart(8, residual), "restart"),
                "whole": lambda b=block: ablate(b, None, "whole"),
            },
            1,
            warm=False,
        )
        for a, b in zip(logits["restart"], logits["whole"], strict=True):
            assert float((a - b).abs().max()) < 1e-3
        if len(block) > 1:  # the first was to warm up
            for name, of in timed.items():
                seconds[name] += of
    return {
        "seconds for 10 features": {name: summary(of) for name, of in seconds.items()},
        "whole against restart": ratio(seconds["whole"], seconds["restart"]),
        "tokens": int(ids.numel()),
    }


def store(repeats: int) -> dict[str, Any]:
    """One dictionary's firings on some 5,000 tokens in a file: bytes, and the rates of the disk."""
    from faultlens.corpus.texts import seven_categories
    from faultlens.features.dataset.shard import read_groups, write_shard
    from faultlens.features.store import ActivationStore

    lens, texts = lens_and_texts()
    kept = ActivationStore()
    distinct = [*texts, *seven_categories().texts]
    one = replace(lens, dictionaries=lens.dictionaries[:1]).unchecked()
    one.read(distinct, store=kept)
    many = kept.firings(lens.dictionaries[0].name)
    found: dict[str, Any] = {"firings": len(many.text)}
    with tempfile.TemporaryDirectory() as folder:
        for precision in ("float32", "float16"):
            path = Path(folder) / f"{precision}.parquet"
            ways: dict[str, Callable[[], object]] = {
                "write": lambda path=path, p=precision: write_shard(path, many, p),
                "read": lambda path=path: read_groups(path, "feature", 0, 10**9),
                "one feature": lambda path=path: read_groups(path, "feature", 1234, 1234),
            }
            seconds = paired(ways, max(3, repeats))
            found[precision] = {
                "bytes a firing": round(path.stat().st_size / len(many.text), 2),
                "million firings a second, written": round(
                    len(many.text) / statistics.median(seconds["write"]) / 1e6, 2),
                "million firings a second, read": round(
                    len(many.text) / statistics.median(seconds["read"]) / 1e6, 2),
                "seconds for one feature": summary(seconds["one feature"]),
            }  # fmt: skip
    return found


def machine() -> dict[str, Any]:
    """The processor and the versions; nothing that names the machine."""
    from importlib import metadata

    import torch

    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    flags = Path("/proc/cpuinfo").read_text().split("flags", 1)[-1].split("\n", 1)[0].split()
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": len(names),
        "low precision": sorted({"avx512_vnni", "avx512_bf16", "amx_bf16"} & set(flags)),
        "threads": torch.get_num_threads(),
        "load when it began": round(os.getloadavg()[0], 1),
        "versions": {
            name: metadata.version(name)
            for name in ("torch", "transformers", "transformer-lens", "sae-lens", "numba")
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--hub", type=Path, default=HERE.parent / "build" / "bench-hub")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--memory", nargs=2, metavar=("WAY", "TIMES"))
    given = parser.parse_args()
    hub = Path(os.environ.get("BENCH_HUB", given.hub))
    os.environ["BENCH_HUB"] = str(hub)
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    gpt2_shape.use(hub)
    import torch

    torch.set_num_threads(given.threads)
    if given.memory:
        print(memory_of(given.memory[0], int(given.memory[1])))
        return
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results["machine"] = machine()
    for part in given.parts or PARTS:
        began = time.perf_counter()
        results[part] = globals()[part](given.repeats)
        results[part]["load"] = round(os.getloadavg()[0], 1)
        print(f"{part}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
        print(json.dumps(results[part], indent=1))
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
