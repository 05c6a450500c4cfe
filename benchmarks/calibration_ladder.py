"""Is the ladder calibrated on noise? `python benchmarks/calibration_ladder.py OUT.jsonl`.

Target, over 200 noise sets: the mean AUROC of every rung is 0.50 ± 0.01, and its 95 % intervals
cover 0.5 in at least 92 %. A set is 300 prompts with 61 failures, five factors of the reference
study's sizes, texts made of them, a Gaussian residual of 768, and a random and a real dictionary
of 24,576 features that fire on 2 % of the prompts: nothing goes with failure. Beside it the leak:
the 20 best features chosen on all labels, then cross-validated.

Each set is a line of OUT.jsonl, written when it is done; a second call goes on where the first
stopped. `--sets` says how many, `--shard 0/2` takes every second of them, `--table` only tables
what is there.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from faultlens.auditing.config import LadderConfig
from faultlens.auditing.held_out.ladder import build_ladder
from faultlens.stats.cross_validation import cross_validate, repeated_folds
from faultlens.stats.prediction import TunedLogistic, correlations

PROMPTS, FAILURES, WIDTH, D_MODEL, DENSITY = 300, 61, 24_576, 768, 0.02
LEVELS = {"object": 8, "place": 8, "template": 4, "subject": 28, "indirect object": 28}
LEAKED = 20  # features that the leak chooses


def noise_audit(seed: int) -> dict[str, Any]:
    """The arguments of `build_ladder`, nothing in them related to the outcome."""
    rng = np.random.default_rng(seed)
    factors = {
        name: [f"{name}{level}" for level in rng.integers(0, size, PROMPTS)]
        for name, size in LEVELS.items()
    }
    failed = np.zeros(PROMPTS, dtype=bool)
    failed[rng.choice(PROMPTS, FAILURES, replace=False)] = True
    return {
        "texts": [" ".join(row) for row in zip(*factors.values(), strict=True)],
        "factors": factors,
        "failed": failed,
        "residual": rng.standard_normal((PROMPTS, D_MODEL)),
        "random": sparse_noise(rng),
        "features": sparse_noise(rng),
        "seed": seed,
    }


def sparse_noise(rng: np.random.Generator) -> csr_matrix:
    fires = rng.random((PROMPTS, WIDTH)) < DENSITY
    return csr_matrix(fires * rng.lognormal(size=fires.shape).astype(np.float32))


def leaked_auroc(audit: dict[str, Any]) -> float:
    """What choosing the best features on all labels first would have given."""
    best = np.argsort(-correlations(audit["features"], audit["failed"]))[:LEAKED]
    chosen = TunedLogistic(ks=(LEAKED,))
    folds = repeated_folds(audit["failed"], repeats=1)
    leaked = csr_matrix(audit["features"][:, best])
    return float(cross_validate(chosen, leaked, audit["failed"], folds).mean())


def of_set(seed: int) -> dict[str, Any]:
    """Seed, and for everything the ladder estimates (estimate, low, high, truth)."""
    audit = noise_audit(seed)
    climbed = build_ladder(**audit, config=LadderConfig())
    rungs, ladder = climbed.baselines, climbed.ladder
    found: dict[str, Any] = {"seed": seed, "leak": [leaked_auroc(audit), None, None, 0.5]}
    for name, rung in rungs.items():
        found[name] = [rung.auroc, rung.low, rung.high, 0.5]
    for pair in ladder.differences:
        found[f"{pair.first} − {pair.second}"] = [pair.difference, pair.low, pair.high, 0.0]
    for left in ladder.left_out:
        found[f"{left.rung}, {left.factor} left out"] = [left.auroc, left.low, left.high, 0.5]
    return found


def seeds_of(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


def table(path: Path) -> None:
    columns: dict[str, list[list[float | None]]] = defaultdict(list)
    for line in seeds_of(path):
        for name, estimate in line.items():
            if name != "seed":
                columns[name].append(estimate)
    print(f"{'':<44} sets   mean     sd  least   most  cover")
    for name, rows in columns.items():
        values = np.array([row[0] for row in rows if row[0] is not None])
        inside = [low <= truth <= high for _, low, high, truth in rows if low is not None]
        cover = f"{np.mean(inside):.3f}" if inside else "    –"
        print(
            f"{name:<44} {len(values):4d} {values.mean():6.3f} {values.std():6.3f} "
            f"{values.min():6.3f} {values.max():6.3f}  {cover}"
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--shard", default="0/1")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    part, parts = map(int, arguments.shard.split("/"))
    done = {line["seed"] for line in seeds_of(arguments.out)}
    for seed in range(part, 0 if arguments.table else arguments.sets, parts):
        if seed not in done:
            line = json.dumps(of_set(seed), ensure_ascii=False)
            with arguments.out.open("a", encoding="utf-8") as out:
                out.write(line + "\n")
    table(arguments.out)


if __name__ == "__main__":
    main()
