"""Where the time of reading goes: `python benchmarks/breakdown.py [--repeats 5] [--threads 1]`.

The work of `engine.py`'s reading part (GPT-2's shape, four dictionaries), taken apart by timers
around the pieces: tokenising, the model without its attention, attention, screening (the product in
bfloat16), refining (the compiled loop), pooling, and what is left. In processor seconds on one
thread, so that a busy machine changes little. Writes the part `breakdown` of `engine.json`, and the
page.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

Seconds = dict[str, float]
PIECES = ("tokenising", "model", "attention", "screening", "refining", "pooling", "the rest")


def timed(own: Callable[..., Any], name: str, spent: Seconds) -> Callable[..., Any]:
    """The function itself, and the processor seconds that it takes."""

    def call(*given: Any, **options: Any) -> Any:
        began = time.process_time()
        try:
            return own(*given, **options)
        finally:
            spent[name] += time.process_time() - began

    return call


@contextmanager
def timers(spent: Seconds) -> Iterator[None]:
    """Within this context the pieces of reading note how long they take."""
    import torch

    from faultlens.features import lens, pooled_tables, screened_encoding
    from faultlens.models.model import Model

    own_loop = screened_encoding._loop

    def loop(*given: Any) -> Any:
        return timed(own_loop(*given), "refining", spent)

    functional = torch.nn.functional
    attention = functional.scaled_dot_product_attention
    with ExitStack() as patches:
        for where, name, new in (
            (lens, "tokenize", timed(lens.tokenize, "tokenising", spent)),
            (Model, "read", timed(Model.read, "model", spent)),
            (functional, "scaled_dot_product_attention", timed(attention, "attention", spent)),
            (torch, "mm", timed(torch.mm, "screening", spent)),
            (screened_encoding, "_loop", loop),
            (pooled_tables, "pool", timed(pooled_tables.pool, "pooling", spent)),
        ):
            patches.enter_context(mock.patch.object(where, name, new))
        yield


def breakdown(repeats: int) -> dict[str, Any]:
    """Shares of the time of a reading, and what its arithmetic would take at the float32 peak."""
    import engine

    from faultlens.features.packing import pack
    from faultlens.features.shapes import Shapes

    lens, texts = engine.lens_and_texts()
    suited = Shapes.suited_to(lens.model, lens.dictionaries)
    shapes = Shapes(suited.budget, suited.row, "compiled")
    lens.read(texts, "mean", shapes=shapes)  # compiled and warmed up
    tries: list[Seconds] = []
    peaks = []
    for _ in range(repeats):
        spent: Seconds = defaultdict(float)
        with timers(spent):
            began = time.process_time()
            lens.read(texts, "mean", shapes=shapes)
            whole = time.process_time() - began
        spent["model"] -= spent["attention"]
        spent["the rest"] = whole - sum(spent.values())
        tries.append(spent | {"whole": whole})
        peaks.append(engine.peak_flops(2, time.process_time))
    tokens = lens.tokenize(texts)
    lengths = [[len(text)] for text in tokens]
    passes = [one for packed in pack(lengths, 1, suited.budget, suited.row)
              for one in packed.passes]  # fmt: skip
    positions = sum(len(one.rows) * one.width for one in passes)
    real = sum(map(len, tokens)) + len(texts)
    flops = {
        "model": real * engine.FLOPS_MODEL,
        "dictionaries": sum(map(len, tokens)) * engine.FLOPS_DICTIONARIES,
    }
    whole = [one["whole"] for one in tries]
    return {
        "seconds": {name: engine.summary([one[name] for one in tries]) for name in PIECES},
        "whole": engine.summary(whole),
        "share": {name: round(sum(one[name] for one in tries) / sum(whole), 3) for name in PIECES},
        "positions a real token": round(positions / real, 3),
        "passes": len(passes),
        "GFLOP": {name: round(of / 1e9, 1) for name, of in flops.items()},
        "float32 peak, GFLOP/s": round(max(peaks) / 1e9, 1),
        "time against FLOP / peak": engine.summary(
            [s * max(peaks) / sum(flops.values()) for s in whole]
        ),
        "threads": int(os.environ["OMP_NUM_THREADS"]),
        "instructions": os.environ.get("ONEDNN_MAX_CPU_ISA", "all that the processor has"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    import gpt2_shape

    gpt2_shape.use(Path(os.environ.get("BENCH_HUB", HERE.parent / "build" / "bench-hub")))
    import engine
    import torch

    torch.set_num_threads(given.threads)
    found = breakdown(given.repeats)
    print(json.dumps(found, indent=1))
    results = json.loads(engine.RESULTS.read_text()) if engine.RESULTS.exists() else {}
    results["breakdown"] = found
    engine.RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    import performance

    performance.PAGE.write_text(performance.whole(), encoding="utf-8")


if __name__ == "__main__":
    main()
