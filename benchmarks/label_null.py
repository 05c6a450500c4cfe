"""What the nulls of a profile cost: `python benchmarks/label_null.py`.

Target: 10,000 permutations of AUROC and of the score at [70, 24576] for four sites in under 5 s on
two cores. The rival is the plain product over all features that fire, in the same run; both must
give the same numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from faultlens.corpus.texts import Corpus
from faultlens.profiling.chance import draw_nulls
from faultlens.profiling.measures import SiteMeasures
from faultlens.progress import SILENT
from faultlens.stats.label_null import random_sets

TEXTS, FEATURES, SITES, PERMUTATIONS, SIZE = 70, 24_576, 4, 10_000, 10


def site(seed: int) -> SiteMeasures:
    """Mean-pooled features of GPT-2's kind: most fire on a few texts, some on nearly all."""
    rng = np.random.default_rng(seed)
    rate = rng.beta(0.15, 3.0, FEATURES)
    fires = rng.random((TEXTS, FEATURES)) < rate
    values = (rng.lognormal(-1.0, 1.2, fires.shape) * fires).astype(np.float32)
    columns = np.flatnonzero(fires.any(axis=0))
    return SiteMeasures(columns, values[:, columns], threshold=5.0)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def plain(measures: dict[str, SiteMeasures], groups: np.ndarray) -> dict[str, np.ndarray]:
    found = {}
    for name, of_site in measures.items():
        best = np.empty(len(groups))
        for start in range(0, len(groups), 500):
            sums = groups[start : start + 500] @ of_site.ranks
            best[start : start + 500] = sums.max(axis=1)
            scores = 2 * (groups[start : start + 500] @ of_site.above) - of_site.above.sum(axis=0)
            scores.max(axis=1)
        found[name] = (best - SIZE * (SIZE + 1) / 2) / (SIZE * (TEXTS - SIZE))
    return found


def main() -> None:
    labels = tuple(f"category {i // SIZE}" for i in range(TEXTS))
    corpus = Corpus("benchmark", tuple(f"text {i}" for i in range(TEXTS)), labels)
    measures = {f"{i}-res-x": site(i) for i in range(SITES)}
    for of_site in measures.values():  # shared with the rest of the study, so not counted here
        _ = of_site.ranks, of_site.above
    groups = random_sets(TEXTS, SIZE, PERMUTATIONS, np.random.default_rng([0, SIZE])).astype(
        np.float32
    )
    ours = seconds(lambda: draw_nulls(measures, corpus, PERMUTATIONS, 0, SILENT))
    rival = seconds(lambda: plain(measures, groups))
    nulls, expected = draw_nulls(measures, corpus, PERMUTATIONS, 0, SILENT), plain(measures, groups)
    for name in measures:
        np.testing.assert_allclose(nulls[name]["category 0"].auroc, expected[name], atol=1e-9)
    firing = ", ".join(f"{len(m.columns):,}" for m in measures.values())
    print(f"{SITES} sites of [{TEXTS}, {FEATURES}] ({firing} fire), {PERMUTATIONS:,} permutations")
    print(f"draw_nulls {ours:.2f} s (target 5 s), plain product {rival:.2f} s: {rival / ours:.1f}x")


if __name__ == "__main__":
    main()
