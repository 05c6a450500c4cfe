"""What an audit of answers costs as it grows: `python benchmarks/audit_size.py --old SRC`.

Targets: 3,000 prompts × 131,072 features at 1.5 % under 2 GB, 30,000 × 24,576 under 4 GB, and per
firing no slower than the way that held prompts × features dense. SRC is the `src` folder of a build
that still does; sizes that it can hold are run through both, one after the other in the same run.
Each audit is a process of its own, `faultlens audit --outcomes`, whose processor time and largest
memory the system counts. Ladder and report apart: `--no-baselines`.

Writes `benchmarks/results/audit_size.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix, save_npz

HERE = Path(__file__).resolve().parent
DENSITY, FAILING = 0.015, 0.2


@dataclass(frozen=True)
class Size:
    """Prompts, features and permutations of an audit; `old`: whether the old build can hold it."""

    prompts: int
    features: int
    permutations: int
    old: bool


SIZES = (
    Size(300, 24_576, 10_000, old=True),
    Size(3_000, 24_576, 10_000, old=True),
    Size(30_000, 4_096, 999, old=True),
    Size(3_000, 131_072, 10_000, old=False),
    Size(30_000, 24_576, 10_000, old=False),
)


def features(size: Size, failed: np.ndarray, rng: np.random.Generator) -> csr_matrix:
    """Rates spread as real ones are, strengths with a long tail; a hundred go with failure."""
    rate = np.exp(1.3 * rng.standard_normal(size.features))
    rate = np.minimum(rate * DENSITY / rate.mean(), 0.95)
    planted = rng.choice(size.features, 100, replace=False)
    indices, indptr = [], [0]
    for feature, share in enumerate(rate):
        fires = rng.random(size.prompts) < share * (1 + 2 * failed * (feature in planted))
        indices.append(np.flatnonzero(fires).astype(np.int32))
        indptr.append(indptr[-1] + len(indices[-1]))
    data = rng.lognormal(sigma=0.8, size=indptr[-1]).astype(np.float32)
    shape = (size.prompts, size.features)
    return csr_matrix(csc_matrix((data, np.concatenate(indices), indptr), shape=shape))


def write_case(size: Size, folder: Path) -> int:
    """The outcomes and the matrix of one audit; how often features fire."""
    rng = np.random.default_rng(size.prompts)
    failed = rng.random(size.prompts) < FAILING
    objects = rng.choice(["the keys", "a book", "the ball", "a card"], size.prompts)
    lines = [
        json.dumps(
            {
                "prompt": f"Prompt {i}: Ann gave {thing} to",
                "target": "Tom",
                "success": not wrong,
                "factors": {"object": thing},
            }
        )
        for i, (thing, wrong) in enumerate(zip(objects.tolist(), failed.tolist(), strict=True))
    ]
    (folder / "outcomes.jsonl").write_text("\n".join(lines) + "\n")
    matrix = features(size, failed, rng)
    save_npz(folder / "features.npz", matrix, compressed=False)
    return int(matrix.nnz)


@dataclass(frozen=True)
class Cost:
    user_seconds: float
    peak_mb: int


def audit(size: Size, folder: Path, source: Path, out: str) -> Cost:
    """Audit the case with the build in `source`, in a process of its own."""
    command = [
        sys.executable, "-m", "faultlens.cli.main", "audit",
        "--outcomes", str(folder / "outcomes.jsonl"),
        "--features", f"8-res-x={folder / 'features.npz'}",
        "--permutations", str(size.permutations), "--no-baselines", "--out", str(folder / out),
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    child = os.posix_spawn(
        sys.executable, command, environment,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )  # fmt: skip
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"the build in {source} failed on {size}")
    return Cost(round(used.ru_utime, 1), used.ru_maxrss // 1024)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--old", type=Path, help="src of a build that holds the matrix dense")
    parser.add_argument("--most", type=int, default=len(SIZES), help="only the first so many sizes")
    options = parser.parse_args()
    rows = []
    for size in SIZES[: options.most]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            firings = write_case(size, folder)
            new = audit(size, folder, HERE.parent / "src", "new")
            row = {**asdict(size), "firings": firings, "new": asdict(new)}
            row["new"]["microseconds_a_firing"] = round(1e6 * new.user_seconds / firings, 1)
            if size.old and options.old:
                old = audit(size, folder, options.old, "old")
                row["old"] = asdict(old)
                row["time_ratio"] = round(new.user_seconds / old.user_seconds, 2)
                row["peak_ratio"] = round(new.peak_mb / old.peak_mb, 2)
            print(json.dumps(row), flush=True)
            rows.append(row)
    if options.most == len(SIZES) and options.old:
        result = {"machine": platform.processor() or platform.machine(), "threads": 1,
                  "density": DENSITY, "failing": FAILING, "sizes": rows}  # fmt: skip
        (HERE / "results" / "audit_size.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
