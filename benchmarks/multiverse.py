"""What the method study costs beside one run: `python benchmarks/multiverse.py`.

The profile of the built-in corpus on the bundled model, without and with the method study, in turn
and in one process, by CPU time; with OMP_NUM_THREADS=1 no thread waits in a loop for another, which
counts as CPU time too.
"""

from __future__ import annotations

import time
from statistics import median

import faultlens as fl
from faultlens.features.lens import Lens

ROUNDS = 3


def seconds(lens: Lens, multiverse: bool) -> float:
    began = time.process_time()
    fl.profile(lens, fl.seven_categories(), multiverse=multiverse)
    return time.process_time() - began


def main() -> None:
    lens = fl.load("mini")
    seconds(lens, False)  # imports and caches
    pairs = [(seconds(lens, False), seconds(lens, True)) for _ in range(ROUNDS)]
    ratios = sorted(both / one for one, both in pairs)
    one, both = (median(column) for column in zip(*pairs, strict=True))
    print(f"one run {one:.1f} s of CPU, with the method study {both:.1f} s")
    print(f"ratio {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f} in {ROUNDS} rounds)")


if __name__ == "__main__":
    main()
