"""How often does each test of the audit find something where nothing is?

`python benchmarks/calibration_tests.py OUT.json` draws 500 outcome vectors that have nothing to do
with the features, and counts for each test those in which it finds any feature of the family. The
deciding tests must stay at .05 within Monte-Carlo error; the described ones are only tabulated.

Features: the reference study's seven-category matrices (with FAULTLENS_REFERENCE_DATA), at three
sizes of the smaller group, and the bundled model's on 255 of its prompts, at 19 against 236:
permuted, and drawn for each prompt by itself. `--table` prints the table of docs/calibration.md.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import binom, false_discovery_control

import faultlens as fl
from faultlens.stats.fisher import fisher_exact
from faultlens.stats.label_null import random_sets
from faultlens.stats.moments import moments
from faultlens.stats.multiplicity import holm
from faultlens.stats.stepdown import FamilyNull, max_t_null, min_p_null
from faultlens.stats.two_sample import mann_whitney, welch

VECTORS, PERMUTATIONS, ALPHA, MIN_SUPPORT = 500, 10_000, 0.05, 5
DECIDING = ("min-P", "max-T", "either, doubled")


class Family:
    """Features that fire on at least five prompts, and every test of them."""

    def __init__(self, matrix: csr_matrix) -> None:
        kept = np.flatnonzero(np.asarray((matrix > 0).sum(axis=0)).ravel() >= MIN_SUPPORT)
        self.all = csr_matrix(matrix)
        self.values = csr_matrix(matrix[:, kept])
        self.firing = csr_matrix((self.values > 0).astype(np.float32))
        self.n = matrix.shape[0]
        self.nulls: Callable[[int], tuple[FamilyNull, FamilyNull]] = cache(self._nulls)

    def _nulls(self, failures: int) -> tuple[FamilyNull, FamilyNull]:
        groups = random_sets(self.n, failures, PERMUTATIONS, np.random.default_rng(failures))
        return min_p_null(self.firing, groups), max_t_null(self.values, groups)

    def finds(self, failed: np.ndarray) -> dict[str, bool]:
        """Whether each test finds any feature, at .05 over the family."""
        of_firing, of_strength = (null.p_of(failed) for null in self.nulls(int(failed.sum())))
        failures = int(failed.sum())
        active = np.asarray(self.firing.sum(axis=0)).ravel().astype(int)
        failing = np.asarray(self.firing[np.flatnonzero(failed)].sum(axis=0)).ravel().astype(int)
        fisher = fisher_exact(failing, active, failures, self.n)
        groups = moments(self.values, failed), moments(self.values, ~failed)
        whole = moments(self.all, failed), moments(self.all, ~failed)
        p_values = {
            "min-P": of_firing,
            "max-T": of_strength,
            "either, doubled": 2 * min(of_firing, of_strength),
            "Fisher + Holm": holm(fisher).min(),
            "Fisher + Benjamini–Hochberg": false_discovery_control(fisher).min(),
            "Welch + Holm": holm(welch(*groups).p).min(),
            "study's rule + Holm, all features": holm(welch(*whole, rule="study").p).min(),
            "Mann–Whitney + Holm": holm(mann_whitney(self.values, failed).p).min(),
        }
        return {name: bool(p <= ALPHA) for name, p in p_values.items()}


def settings() -> dict[str, tuple[Family, list[np.ndarray]]]:
    """By name, a family and the outcome vectors to try on it."""
    rng = np.random.default_rng(7)
    found = {}
    folder = os.environ.get("FAULTLENS_REFERENCE_DATA")
    if folder:
        path = Path(folder) / "seven_categories" / "layer08.npz"
        matrix = csr_matrix(np.load(path)["features"].astype(np.float32))
        family = Family(matrix)
        for failures in (35, 10, 5):
            name = f"seven categories, {failures} against {70 - failures}"
            found[name] = family, permuted(70, failures, rng)
    texts = [prompt.text for prompt in fl.tasks.mini_ioi(n=255).prompts]
    tables = fl.load("mini", layers=[4]).read(texts)
    family = Family(next(iter(tables.values())).matrix)
    found["mini, 19 against 236"] = family, permuted(255, 19, rng)
    drawn = [vector for vector in rng.random((2 * VECTORS, 255)) < 19 / 255 if vector.sum() >= 5]
    found["mini, each prompt fails with 19/255"] = family, drawn[:VECTORS]
    return found


def permuted(n: int, failures: int, rng: np.random.Generator) -> list[np.ndarray]:
    return list(random_sets(n, failures, VECTORS, rng) > 0)


def measure() -> dict[str, dict[str, float]]:
    """Share of vectors in which each test finds something, by setting and test."""
    shares: dict[str, dict[str, float]] = {}
    for name, (family, vectors) in settings().items():
        found = [family.finds(vector) for vector in vectors]
        shares[name] = {test: float(np.mean([f[test] for f in found])) for test in found[0]}
        shares[name]["features tested"] = family.values.shape[1]
        print(name, shares[name], flush=True)
    return shares


def table(shares: dict[str, dict[str, float]]) -> str:
    tests = [test for test in next(iter(shares.values())) if test != "features tested"]
    lines = ["| test | " + " | ".join(shares) + " |", "| --- |" + " --- |" * len(shares)]
    lines.append(
        "| features tested | "
        + " | ".join(f"{s['features tested']:,.0f}" for s in shares.values())
        + " |"
    )
    for test in tests:
        mark = " (decides)" if test in DECIDING else ""
        cells = " | ".join(
            f"{s[test]:.3f}".lstrip("0") if s[test] < 1 else "1.00" for s in shares.values()
        )
        lines.append(f"| {test}{mark} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if not arguments.table:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(measure(), indent=1, ensure_ascii=False))
    print(table(json.loads(arguments.out.read_text())))
    print(f"upper 99 % limit for .05: {binom.ppf(0.99, VECTORS, ALPHA) / VECTORS:.3f}")


if __name__ == "__main__":
    main()
