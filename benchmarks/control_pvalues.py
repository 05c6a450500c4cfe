"""Are p-values of random features spread evenly? `python benchmarks/control_pvalues.py`

Of each dictionary 200 features are drawn among those that fire on at least five failures, and each
is put through the necessity test, on 15 prompts each, against 199 controls, all of them run. A test
whose controls are like features gives p-values that are uniform, but for the few features that do
matter. Reported are the Kolmogorov–Smirnov test and the shares at either end, of both families of
controls together and of each alone. Writes `benchmarks/results/control_pvalues.json`, and the table
in docs/calibration.md from it. About six minutes of processor time.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import kstest

import faultlens as fl
from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.activations.task_tokens import tokenize
from faultlens.auditing.behaviour.generation import run_task
from faultlens.auditing.behaviour.outcomes import resolve_rule
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.ablation import LEAST_PROMPTS, NORMAL, Ablation
from faultlens.auditing.interventions.cached_run import CachedRuns
from faultlens.auditing.interventions.controlled_test import Usual, run_against_controls
from faultlens.auditing.interventions.controls import CONTROLS
from faultlens.auditing.interventions.effects import NECESSITY, Measured, as_large
from faultlens.auditing.interventions.placed_edit import edit_where_firing
from faultlens.corpus.task import Task
from faultlens.features.lens import Lens
from faultlens.stats.sequential import SequentialTest

RESULTS = Path(__file__).parent / "results" / "control_pvalues.json"
PAGE = Path(__file__).parent.parent / "docs" / "calibration.md"
MARKS = "<!-- control p-values: begin -->", "<!-- control p-values: end -->"
FEATURES, PROMPTS, SEED = 200, 15, 0


@dataclass(frozen=True)
class Case:
    """A model, a dictionary and a task on which it fails."""

    name: str
    lens: Lens
    task: Task


def cases() -> list[Case]:
    """Two dictionaries of `mini`, at different depths."""
    found = []
    for layer in (3, 4):
        lens = fl.load("mini", layers=[layer]).unchecked()
        found.append(Case(lens.dictionaries[0].name, lens, fl.tasks.mini_ioi(n=255, seed=42)))
    return found


def ablation_of(case: Case) -> Ablation:
    """The case's outcomes and activations, ready to be tested."""
    _, decides = resolve_rule(case.task.rule or "exact-word")
    tokens = tokenize(case.task, case.lens.model)
    outcomes = run_task(case.lens, case.task, tokens, decides)
    failed = np.array([not outcome.success for outcome in outcomes])
    activations = TaskActivations.read(case.lens, case.task, tokens)
    runs = CachedRuns(case.lens.model, tokens, activations.values.sites, activations.values)
    (dictionary,) = case.lens.dictionaries
    return Ablation(dictionary, activations, runs, failed, lambda ids, prompt: False, SEED, PROMPTS)


def measured(ablation: Ablation, feature: int, seed: int) -> Measured:
    """A feature's necessity test with every planned control run."""
    fires = ablation.codes.fires([feature])
    prompts = ablation.drawn(np.flatnonzero(ablation.failed & fires))
    own = FeatureSet(ablation.dictionary.name, (feature,))
    placed = edit_where_firing(NORMAL, ablation.context, own, prompts)
    usual = Usual(
        ablation.codes.mean_by_role(ablation.successes),
        ablation.activations.mean_by_role(ablation.dictionary, ablation.successes),
    )
    return run_against_controls(
        ablation.runner,
        placed,
        prompts,
        usual,
        SequentialTest(CONTROLS),
        claim=NECESSITY,
        seed=seed,
    )


def spread(p: np.ndarray) -> dict[str, Any]:
    """How far p-values are from uniform."""
    return {
        "tests": len(p),
        "ks": round(float(kstest(p, "uniform").statistic), 4),
        "p_ks": round(float(kstest(p, "uniform").pvalue), 4),
        "at_most_.05": round(float((p <= 0.05).mean()), 4),
        "at_least_.95": round(float((p >= 0.95).mean()), 4),
        "mean": round(float(p.mean()), 4),
    }


def run(case: Case, features: int) -> dict[str, Any]:
    """P-values of random features, by family of controls."""
    ablation, began = ablation_of(case), time.process_time()
    codes, failures = ablation.codes, np.flatnonzero(ablation.failed)
    on = sum(codes.matrix[codes.rows(np.array([i]))].getnnz(axis=0) > 0 for i in failures)
    able = np.flatnonzero(on >= LEAST_PROMPTS)
    rng = np.random.default_rng(SEED)
    chosen = rng.permutation(able)[:features]
    p: dict[str, list[float]] = {"both": [], "features": [], "covariance": []}
    for number, feature in enumerate(chosen.tolist()):
        found = measured(ablation, feature, number)
        larger = as_large(found, NECESSITY)
        parts = {"both": larger, "features": larger[found.features],
                 "covariance": larger[~found.features]}  # fmt: skip
        for name, part in parts.items():  # a uniform draw within the step that p could take
            p[name].append((part.sum() + rng.random()) / (len(part) + 1))
        if number % 20 == 19:
            print(f"  {case.name}: {number + 1} of {len(chosen)}, "
                  f"{time.process_time() - began:.0f} CPU s", flush=True)  # fmt: skip
    return {
        "prompts": len(case.task),
        "failures": len(failures),
        "firing": len(able),
        **{name: spread(np.array(values)) for name, values in p.items()},
    }


def main() -> None:
    features = int(sys.argv[1]) if len(sys.argv) > 1 else FEATURES
    torch.set_num_threads(1)
    found = {case.name: run(case, features) for case in cases()}
    record = {
        "controls": CONTROLS,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "dictionaries": found,
    }
    print(json.dumps(record, indent=1))
    if features == FEATURES:
        RESULTS.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        write_page(record)


def table(record: dict[str, Any]) -> str:
    """The measurement as the lines of a table."""
    lines = [
        "| dictionary | controls | Kolmogorov–Smirnov | p ≤ .05 | p ≥ .95 | mean p |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, found in record["dictionaries"].items():
        for controls in ("both", "features", "covariance"):
            one = found[controls]
            shares = (f"{one[key]:.3f}" for key in ("at_most_.05", "at_least_.95", "mean"))
            lines.append(
                f"| `{name}` | {controls} | {one['ks']:.3f}, p = {one['p_ks']:.2f} | "
                f"{' | '.join(shares)} |"
            )
    return "\n".join(lines)


def write_page(record: dict[str, Any]) -> None:
    """Put the table between its marks in docs/calibration.md."""
    before, rest = PAGE.read_text(encoding="utf-8").split(MARKS[0])
    _, after = rest.split(MARKS[1])
    text = f"{before}{MARKS[0]}\n{table(record)}\n{MARKS[1]}{after}"
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
