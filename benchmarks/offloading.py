"""What it costs that blocks stay behind: `python benchmarks/offloading.py [--device cuda]`.

A network of GPT-2 small's shape with random weights, all of it on the device and with all of its
blocks in the processor's memory, in turn. A pass of one short text stands for decoding and
restarts, one of many tokens for reading. Without a GPU the device is the processor itself: nothing
is copied, and what is told is what accelerate does around each matrix. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable

import torch
import transformers

from faultlens.models import offloading

SHAPES = {"few tokens": (1, 8), "more tokens": (4, 64)}
REPEATS = 7


def networks(device: torch.device, layers: int, width: int) -> tuple[torch.nn.Module, ...]:
    """The network as a whole, and with as little of it on the device as can be."""
    torch.manual_seed(0)
    config = transformers.GPT2Config(n_layer=layers, n_embd=width, n_head=width // 64)
    part = transformers.GPT2Model(config).eval().requires_grad_(False)
    whole = copy.deepcopy(part).to(device)
    every = sum(p.numel() * p.element_size() for p in part.parameters())
    block = sum(p.numel() * p.element_size() for p in part.h[0].parameters() if p.ndim > 1)
    least = every - (layers - 1.5) * block  # all that is no block, and one
    behind = offloading.place(
        "gpt2-shape", part, list(part.h), device, int(least / offloading.SHARE)
    )
    print(f"{behind / 1e6:.0f} MB of {every / 1e6:.0f} MB stay behind")
    return whole, part


def timed(way: Callable[[], object], device: torch.device) -> float:
    """Milliseconds of a pass: by the clock, or, where it is no GPU, of the processor."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    began = clock()
    way()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return 1000 * (clock() - began)


@torch.no_grad()
def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Milliseconds more that a pass takes, by how much it holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--width", type=int, default=768)
    given = parser.parse_args(arguments)
    device, found = torch.device(given.device), {}
    whole, part = networks(device, given.layers, given.width)
    for name, shape in SHAPES.items():
        ids = torch.randint(0, 50_000, shape, device=device)
        assert torch.equal(whole(ids)[0], part(ids)[0]), "the numbers are not the whole's"
        pairs = [
            (timed(lambda ids=ids: whole(ids), device), timed(lambda ids=ids: part(ids), device))
            for _ in range(REPEATS)
        ]
        once, more = (statistics.median(of) for of in zip(*pairs, strict=True))
        found[name] = statistics.median(behind - there for there, behind in pairs)
        print(f"{name} {shape}: {once:.1f} ms whole, {more:.1f} ms, {found[name]:.1f} ms more")
    return found


if __name__ == "__main__":
    main()
