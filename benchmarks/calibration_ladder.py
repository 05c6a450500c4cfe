"""Is the ladder calibrated on noise? `python benchmarks/calibration_ladder.py`.

Target, over 200 noise sets: the mean AUROC of every rung is 0.50 ± 0.01, and its 95 % intervals
cover 0.5 in at least 92 %. A set is 300 prompts with 61 failures, five factors of the reference
study's sizes, texts made of them, a Gaussian residual of 768, and a random and a real dictionary
of 24,576 features that fire on 2 % of the prompts: nothing goes with failure. Beside it the leak:
the 20 best features chosen on all labels, then cross-validated.

Folds are repeated five times, half as often as by default, and no levels are held out: a set then
takes 4 s of CPU rather than 14, and 200 take a quarter of an hour. An interval's width hangs on the
number of folds rather than on that of the repeats.

Each set is a line of `benchmarks/results/calibration_ladder.jsonl`, written when it is done; a
second call goes on where the first stopped. `--sets` says how many, `--shard 0/2` takes every
second of them, `--out` names another file. The table in docs/calibration.md is then written from
it; `--table` does only that.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from marked_page import between
from scipy.sparse import csr_matrix

from faultlens.auditing.config import LadderConfig
from faultlens.auditing.held_out.ladder import build_ladder
from faultlens.stats.cross_validation import cross_validate, repeated_folds
from faultlens.stats.prediction import TunedLogistic, correlations

PROMPTS, FAILURES, WIDTH, D_MODEL, DENSITY = 300, 61, 24_576, 768, 0.02
LEVELS = {"object": 8, "place": 8, "template": 4, "subject": 28, "indirect object": 28}
LEAKED = 20  # features that the leak chooses
REPEATS = 5  # of the folds
ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "calibration_ladder.jsonl"
PAGE = ROOT / "docs" / "calibration.md"
MARKS = "<!-- ladder on noise: begin -->", "<!-- ladder on noise: end -->"


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
    climbed = build_ladder(**audit, config=LadderConfig(repeats=REPEATS), hold_out_levels=False)
    found: dict[str, Any] = {"seed": seed, "leak": [round(leaked_auroc(audit), 4), None, None, 0.5]}
    for name, rung in climbed.baselines.items():
        found[name] = [*_rounded(rung.auroc, rung.low, rung.high), 0.5]
    for pair in climbed.ladder.differences:
        ends = _rounded(pair.difference, pair.low, pair.high)
        found[f"{pair.first} − {pair.second}"] = [*ends, 0.0]
    return found


def _rounded(*numbers: float | None) -> list[float | None]:
    return [None if number is None else round(number, 4) for number in numbers]


def seeds_of(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


def table(lines: Iterable[dict[str, Any]]) -> str:
    """What the ladder says of noise, as the lines of a table."""
    columns: dict[str, list[list[float]]] = defaultdict(list)
    for line in lines:
        for name, estimate in line.items():
            if name == "leak" or (name != "seed" and estimate[1] is not None):
                columns[name].append(estimate)
    rows = [
        f"{len(columns['leak'])} sets:",
        "",
        "| rung, or difference of two | mean | SD over sets | least | most | cover |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, estimates in columns.items():
        values = np.array([row[0] for row in estimates])
        inside = [low <= truth <= high for _, low, high, truth in estimates if low is not None]
        cover = f"{np.mean(inside):.3f}" if inside else ""
        rows.append(
            f"| {name.replace('_', ' ')} | {values.mean():.3f} | {values.std():.3f} | "
            f"{values.min():.3f} | {values.max():.3f} | {cover} |"
        )
    return "\n".join(rows)


def with_table(page: str, lines: Iterable[dict[str, Any]]) -> str:
    """The page with the table between its marks."""
    return between(page, MARKS, table(lines))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=RESULTS)
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
    print(table(seeds_of(arguments.out)))
    if arguments.out == RESULTS:
        text = with_table(PAGE.read_text(encoding="utf-8"), seeds_of(RESULTS))
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
