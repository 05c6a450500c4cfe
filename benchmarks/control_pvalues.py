"""Are p-values of random features spread evenly? `python benchmarks/control_pvalues.py`

Of each dictionary 200 features are drawn among those that fire on at least five failures, and each
is put through the necessity test, on 15 prompts each, against 199 controls, all of them run. A test
whose controls are like features gives p-values that are uniform, but for the few features that do
matter. Reported are the Kolmogorov–Smirnov test and the shares at either end, of both families of
controls together and of each alone.

Without options two dictionaries of `mini` are measured, in about six minutes of processor time.
Another model, with dictionaries and a task on which it fails:

    python benchmarks/control_pvalues.py --model DIR --sae DIR --task ioi -n 500 --layers 18 \\
        --prompts 6 --controls 59

`--task` is a built-in task (`-n` and `--task-seed` say which prompts) or a file of prompts. Each
feature costs prompts × (controls + 1) runs of the model behind the site, from the first edited
token on; `--features 4` says what 200 would take and writes nothing. Fewer controls make the p
coarser and are no less exact. Measured p-values are kept in
`benchmarks/results/control_pvalues.json` after every 10 features, a second call goes on where the
first stopped (`--anew`: from the beginning), and the table in docs/calibration.md is written from
that file.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from marked_page import between
from scipy.stats import kstest

import faultlens as fl
from faultlens.auditing.config import AuditConfig
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.from_task import observe_task
from faultlens.auditing.interventions.ablation import LEAST_PROMPTS, NORMAL, Ablation
from faultlens.auditing.interventions.controlled_test import Usual, run_against_controls
from faultlens.auditing.interventions.controls import CONTROLS
from faultlens.auditing.interventions.effects import NECESSITY, Measured, as_large
from faultlens.auditing.interventions.placed_edit import edit_where_firing
from faultlens.corpus.task import Task, make_task, read_task
from faultlens.features.lens import Lens
from faultlens.progress import SILENT
from faultlens.runs.checkpoint import Checkpoint
from faultlens.stats.sequential import SequentialTest

RESULTS = Path(__file__).parent / "results" / "control_pvalues.json"
PAGE = Path(__file__).parent.parent / "docs" / "calibration.md"
MARKS = "<!-- control p-values: begin -->", "<!-- control p-values: end -->"
FAMILIES = ("both", "features", "covariance")
FEATURES, PROMPTS, SEED, SAVED_EVERY = 200, 15, 0, 10


@dataclass(frozen=True)
class Case:
    """A model, one of its dictionaries, and a task on which it fails.

    Attributes:
        model: as the table names it.
        lens: with this one dictionary.
        task: the prompts.
        chat: whether they go through the model's chat template.
    """

    model: str
    lens: Lens
    task: Task
    chat: bool = False

    @property
    def dictionary(self) -> str:
        """Its name."""
        return self.lens.dictionaries[0].name

    @property
    def name(self) -> str:
        """Under which its result is kept."""
        return self.dictionary if self.model == "mini" else f"{self.model}: {self.dictionary}"


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """Two dictionaries of `mini`, at different depths; or all those that the options name."""
    if options.model is None:
        task = fl.tasks.mini_ioi(n=255, seed=42)
        lens = fl.load("mini", layers=[3, 4])
        model = "mini"
    else:
        if Path(options.task).suffix in (".jsonl", ".json"):
            task = read_task(Path(options.task))
        else:
            task = make_task(options.task, options.n, options.task_seed)
        lens = fl.load(options.model, sae=options.sae, layers=options.layers)
        model = Path(options.model).name
    for dictionary in lens.dictionaries:
        alone = replace(lens, dictionaries=(dictionary,)).unchecked()
        yield Case(model, alone, task, options.chat)


def ablation_of(case: Case, prompts: int) -> Ablation:
    """The case's outcomes and activations as an audit has them, ready to be tested."""
    config = AuditConfig.of(seed=SEED, baselines=False, chat=case.chat)
    observed = observe_task(
        case.lens, case.task, config, progress=SILENT, recorder=None, kept=Checkpoint()
    )
    assert observed.causal_tests is not None
    return replace(observed.causal_tests.ablation(case.dictionary), most=prompts)


def measured(ablation: Ablation, feature: int, controls: int, seed: int) -> Measured:
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
        SequentialTest(controls),
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


def run(case: Case, options: argparse.Namespace, before: dict[str, Any]) -> Iterator[Any]:
    """P-values of random features, by family of controls: what is known after every ten.

    Args:
        before: what an earlier call has measured of the case; empty: nothing.
    """
    ablation, began = ablation_of(case, options.prompts), time.process_time()
    codes, failures = ablation.codes, np.flatnonzero(ablation.failed)
    on = sum(codes.matrix[codes.rows(np.array([i]))].getnnz(axis=0) > 0 for i in failures)
    able = np.flatnonzero(on >= LEAST_PROMPTS)
    chosen = np.random.default_rng(SEED).permutation(able)[: options.features].tolist()
    p: dict[str, list[float]] = before.get("p", {name: [] for name in FAMILIES})
    done = len(p["both"])
    for number in range(done, len(chosen)):
        found = measured(ablation, chosen[number], options.controls, number)
        rng = np.random.default_rng([SEED, number])
        larger = as_large(found, NECESSITY)
        parts = {"both": larger, "features": larger[found.features],
                 "covariance": larger[~found.features]}  # fmt: skip
        for name, part in parts.items():  # a uniform draw within the step that p could take
            p[name].append(round(float((part.sum() + rng.random()) / (len(part) + 1)), 5))
        last = number + 1 == len(chosen)
        if last or number % SAVED_EVERY == SAVED_EVERY - 1:
            seconds = time.process_time() - began
            each = seconds / (number + 1 - done)
            print(f"  {case.name}: {number + 1} of {len(chosen)}, {seconds:.0f} CPU s, "
                  f"{each:.2f} a feature: {FEATURES * each / 60:.0f} min for {FEATURES}",
                  flush=True)  # fmt: skip
            yield {
                "model": case.model,
                "dictionary": case.dictionary,
                "task": case.task.name,
                "prompts": len(case.task),
                "failures": len(failures),
                "firing": len(able),
                "tested_prompts": options.prompts,
                "controls": options.controls,
                "versions": {"python": platform.python_version(), "torch": torch.__version__},
                **{name: spread(np.array(values)) for name, values in p.items()},
                "p": p,
            }


def table(record: dict[str, Any]) -> str:
    """The measurement as the lines of a table."""
    lines = [
        "| model | dictionary | features | controls | Kolmogorov–Smirnov | p ≤ .05 | p ≥ .95 "
        "| mean p |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for found in record["dictionaries"].values():
        for controls in FAMILIES:
            one = found[controls]
            shares = (f"{one[key]:.3f}" for key in ("at_most_.05", "at_least_.95", "mean"))
            lines.append(
                f"| {found['model']} | `{found['dictionary']}` | {one['tests']} | {controls} | "
                f"{one['ks']:.3f}, p = {one['p_ks']:.2f} | {' | '.join(shares)} |"
            )
    return "\n".join(lines)


def write_page(record: dict[str, Any]) -> None:
    """Put the table between its marks in docs/calibration.md."""
    text = between(PAGE.read_text(encoding="utf-8"), MARKS, table(record))
    PAGE.write_text(text, encoding="utf-8")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", help="folder of a model; without it `mini` is measured")
    parser.add_argument("--sae", help="its dictionaries, as `faultlens audit --sae` takes them")
    parser.add_argument("--task", help="a built-in task, or a file of prompts")
    parser.add_argument("--layers", type=lambda text: [int(one) for one in text.split(",")])
    parser.add_argument("-n", type=int)
    parser.add_argument("--task-seed", type=int)
    parser.add_argument("--chat", action="store_true", help="through the model's chat template")
    parser.add_argument("--features", type=int, default=FEATURES)
    parser.add_argument("--prompts", type=int, default=PROMPTS)
    parser.add_argument("--controls", type=int, default=CONTROLS)
    parser.add_argument("--table", action="store_true", help="only write the table of the page")
    parser.add_argument("--anew", action="store_true", help="forget what was measured of it")
    options = parser.parse_args()
    if options.model is not None and (options.sae is None or options.task is None):
        parser.error("--model goes with --sae and --task")
    return options


def main() -> None:
    options = parsed()
    torch.set_num_threads(1)
    record = json.loads(RESULTS.read_text(encoding="utf-8"))
    if options.table:
        write_page(record)
        return
    for case in cases(options):
        whole = options.features == FEATURES
        before = record["dictionaries"].get(case.name, {})
        same = before.get("controls") == options.controls and not options.anew and whole
        for found in run(case, options, before if same else {}):
            record["dictionaries"][case.name] = found
            if whole:
                RESULTS.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
                write_page(record)
            else:
                print(json.dumps({name: found[name] for name in FAMILIES}, indent=1))


if __name__ == "__main__":
    main()
