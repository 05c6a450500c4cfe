"""How long the deciding tests take: `python benchmarks/stepdown.py`.

Target: step-down min-P and max-T, exact for every feature, 10,000 permutations over 300 prompts and
24,576 features at 2 % density, together under 5 s on 2 cores. Beside it, in the same run, the two
matrix products alone that no way of doing it can avoid.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_matrix, random

from faultlens.stats.label_null import random_sets
from faultlens.stats.stepdown import max_t, min_p

PROMPTS, FAILURES, WIDTH, DENSITY, PERMUTATIONS, REPEATS = 300, 61, 24_576, 0.02, 10_000, 3


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    rng = np.random.default_rng(0)
    drawn = random(PROMPTS, WIDTH, DENSITY, format="csr", random_state=0, dtype=np.float32)
    support = np.asarray((drawn > 0).sum(axis=0)).ravel()
    values = csr_matrix(drawn[:, np.flatnonzero(support >= 5)])
    firing = csr_matrix((values > 0).astype(np.float32))
    failed = np.arange(PROMPTS) < FAILURES
    groups = random_sets(PROMPTS, FAILURES, PERMUTATIONS, rng)
    dense = values.toarray()
    work: dict[str, Callable[[], object]] = {
        "min-P": lambda: min_p(firing, groups, failed),
        "max-T": lambda: max_t(values, groups, failed),
        "two products": lambda: [(groups @ dense).max() for _ in range(2)],
    }
    times = {name: [seconds(run) for _ in range(REPEATS)] for name, run in work.items()}
    median = {name: statistics.median(of) for name, of in times.items()}
    print(f"{values.shape[1]:,} features with support of 5")
    for name, of in times.items():
        print(f"  {name:<14} {median[name]:5.2f} s  ({min(of):.2f} to {max(of):.2f})")
    both = median["min-P"] + median["max-T"]
    print(f"  both {both:.2f} s, {both / median['two products']:.1f} times the products")


if __name__ == "__main__":
    main()
