"""Where the time of reading goes, by what the processor can do: `python benchmarks/breakdown.py`.

The work of `engine.py`'s reading part (GPT-2's shape, four dictionaries), read plainly, with either
screen, with the way that a lens chooses by itself and by the careful peer (`rivals.py`), in turn
within each repeat; and the chosen way taken apart by timers around the pieces: tokenising, the
model without its attention, attention, screening (the product in low precision), refining (the
compiled loops), pooling, and what is left. All of it once for each of `SETTINGS`, in a process of
its own, for oneDNN can be told to leave out what a processor has: AMX, and bfloat16.

    python benchmarks/breakdown.py [SETTING …] [--repeats 5] [--threads 2]

Under eight minutes on two quiet cores. On one thread processor seconds are taken, so that a busy
machine changes little. Writes the part `breakdown` of `results/engine.json`, and the page.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

SETTINGS = {  # oneDNN's names for the most that it may use
    "with AMX": "AVX512_CORE_AMX",
    "AVX-512 without AMX": "AVX512_CORE_BF16",
    "AVX-512 without bfloat16": "AVX512_CORE_VNNI",
}
NEEDS = {"with AMX": "amx_bf16", "AVX-512 without AMX": "avx512_bf16"}  # of the processor
Seconds = dict[str, float]
PIECES = ("tokenising", "model", "attention", "screening", "refining", "pooling", "the rest")


def timed(
    own: Callable[..., Any], name: str, spent: Seconds, clock: Callable[[], float]
) -> Callable[..., Any]:
    """The function itself, and the seconds that it takes."""

    def call(*given: Any, **options: Any) -> Any:
        began = clock()
        try:
            return own(*given, **options)
        finally:
            spent[name] += clock() - began

    return call


@contextmanager
def timers(spent: Seconds, clock: Callable[[], float]) -> Iterator[None]:
    """Within this context the pieces of reading note how long they take."""
    import torch

    from faultlens.features import lens, pooled_tables
    from faultlens.features.bfloat16_screen import Bfloat16Screen
    from faultlens.features.int8_screen import Int8Screen
    from faultlens.features.screened_encoding import _Tile
    from faultlens.models.model import Model

    patched: list[tuple[Any, str, str]] = [
        (lens, "tokenize", "tokenising"),
        (Model, "read", "model"),
        (torch.nn.functional, "scaled_dot_product_attention", "attention"),
        (Bfloat16Screen, "multiply", "screening"),
        (Int8Screen, "multiply", "screening"),
        (_Tile, "encoded", "refining"),
        (pooled_tables, "pool", "pooling"),
    ]
    with ExitStack() as patches:
        for where, name, piece in patched:
            new = timed(getattr(where, name), piece, spent, clock)
            patches.enter_context(mock.patch.object(where, name, new))
        yield
    spent["model"] -= spent["attention"]
    spent["refining"] -= spent["screening"]


def products(clock: Callable[[], float]) -> dict[str, int]:
    """GFLOP/s of a product in each precision: whether a setting takes effect shows here."""
    import torch

    floats, whole = torch.randn(512, 768), torch.ones((2048, 768), dtype=torch.int8)
    pairs: dict[str, Callable[[], object]] = {}
    for precision in (torch.float32, torch.bfloat16):
        a, b = torch.randn(2048, 768).to(precision), floats.to(precision)
        pairs[str(precision).removeprefix("torch.")] = lambda a=a, b=b: torch.mm(a, b.T)
    if hasattr(torch, "_int_mm"):
        pairs["int8"] = lambda: torch._int_mm(whole, floats.to(torch.int8).T)
    found = {}
    for name, multiply in pairs.items():
        seconds = []
        for _ in range(8):
            began = clock()
            multiply()
            seconds.append(clock() - began)
        found[name] = round(2 * 2048 * 768 * 512 / min(seconds) / 1e9)
    return found


def measured(repeats: int, threads: int) -> dict[str, Any]:
    """One setting: every way in turn, and the pieces of the chosen one."""
    import engine
    import gpt2_shape
    import rivals

    from faultlens.features.encoding_choice import precisions
    from faultlens.features.packing import pack
    from faultlens.features.shapes import Shapes

    clock = time.process_time if threads == 1 else time.perf_counter
    lens, texts = engine.lens_and_texts()
    model, saes = rivals.load(gpt2_shape.RELEASE, layers=gpt2_shape.LAYERS)
    tokens = lens.tokenize(texts)
    suited = Shapes.suited_to(lens.model, lens.dictionaries)
    chosen = lens.shapes(tokens * 10, tokens=10**6).encoding  # as for a long reading

    def read(encoding: Any) -> Callable[[], object]:
        shapes = Shapes(suited.budget, suited.row, encoding)
        return lambda: lens.read(texts, "mean", shapes=shapes)

    ways = {way: read(way) for way in ("plain", *precisions())}
    both = {**ways, "careful": lambda: rivals.careful(model, saes, texts)}
    peaks = [engine.peak_flops(3, clock)]
    seconds = engine.paired(both, repeats, clock=clock)
    tries: list[Seconds] = []
    for _ in range(repeats):
        spent: Seconds = defaultdict(float)
        with timers(spent, clock):
            began = clock()
            ways[chosen]()
            whole = clock() - began
        spent["the rest"] = whole - sum(spent.values())
        tries.append(spent)
    peaks.append(engine.peak_flops(3, clock))
    passes = [one for packed in pack([[len(text)] for text in tokens], 1, suited.budget, suited.row)
              for one in packed.passes]  # fmt: skip
    own = sum(map(len, tokens))
    real = own + len(texts)
    flops = {"model": real * engine.FLOPS_MODEL, "dictionaries": own * engine.FLOPS_DICTIONARIES}
    at_peak = sum(flops.values()) / max(peaks)
    return {
        "chosen": chosen,
        "seconds": {name: engine.summary(of) for name, of in seconds.items()},
        "time against FLOP / peak": {
            name: engine.summary([s / at_peak for s in of]) for name, of in seconds.items()
        },
        "times as quick as the careful version": {
            name: engine.ratio(seconds["careful"], of)
            for name, of in seconds.items() if name != "careful"
        },
        "pieces against FLOP / peak": {
            name: engine.summary([one[name] / at_peak for one in tries]) for name in PIECES
        },
        "trial": {way: round(s, 4) for way, s in (lens.chosen.seconds or {}).items()},
        "products, GFLOP/s": products(clock),
        "float32 peak, GFLOP/s": round(max(peaks) / 1e9, 1),
        "GFLOP": {name: round(of / 1e9, 1) for name, of in flops.items()},
        "positions a real token": round(sum(len(one.rows) * one.width for one in passes) / real, 3),
        "passes": len(passes),
        "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip


def in_a_process(setting: str, given: argparse.Namespace) -> dict[str, Any]:
    """The same under a setting, which oneDNN reads when it is loaded."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--repeats", str(given.repeats),
         "--threads", str(given.threads), "--measure"],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": SETTINGS[setting],
             "OMP_NUM_THREADS": str(given.threads)},
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def check_settings(found: dict[str, dict[str, Any]]) -> None:
    """Raises SystemExit unless leaving out AMX made products in bfloat16 slower."""
    quick = {name: of["products, GFLOP/s"]["bfloat16"] for name, of in found.items()}
    names = [name for name in SETTINGS if name in quick]
    for more, less in pairwise(names):
        if quick[less] > 0.8 * quick[more]:
            raise SystemExit(f"the setting {less!r} took no effect: bfloat16 at {quick} GFLOP/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", nargs="*", choices=[*SETTINGS, []], default=[])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    import gpt2_shape

    gpt2_shape.use(Path(os.environ.get("BENCH_HUB", HERE.parent / "build" / "bench-hub")))
    import engine
    import torch

    torch.set_num_threads(given.threads)
    if given.measure:
        print(json.dumps(measured(given.repeats, given.threads)))
        return
    machine = engine.machine()
    has = Path("/proc/cpuinfo").read_text()
    able = [name for name in SETTINGS if NEEDS.get(name, "") in has]
    found = {}
    for setting in given.settings or able:
        began = time.perf_counter()
        found[setting] = in_a_process(setting, given)
        print(f"{setting}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
        print(json.dumps(found[setting], indent=1))
    check_settings(found)
    results = json.loads(engine.RESULTS.read_text()) if engine.RESULTS.exists() else {}
    results["breakdown"] = {"machine": machine, "threads": given.threads, "settings": found}
    engine.RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    import performance

    performance.PAGE.write_text(performance.whole(), encoding="utf-8")


if __name__ == "__main__":
    main()
