"""Does the audit keep its level on prompts that fill forms?

A set is a task's prompts, 200 features and an outcome. Both go with what the prompts share, and
have nothing to do with one another; what is counted is how often anything is found at .05, with
labels permuted one by one (`--groups none`) and by the groups that are found:

- *questions*: the prompts of `sycophancy`; outcome and features go with the question;
- *names*: those of `unanswerable`; they go with the name;
- *forms*: the same; they also go with the form, which is one of the 72 combinations of the factors'
  levels;
- *pairs*: 120 sentences of `ioi`, each with two names; they go with the sentence;
- *twins*: 120 sentences of `ioi`, each twice but for a word, whose group is the name; they go with
  the sentence.

Each set is a line of `benchmarks/results/calibration_groups.jsonl`, and a second call goes on where
the first stopped. The table in docs/calibration.md is then written; `--table` does only that.

    python benchmarks/calibration_groups.py [--sets 200] [--table]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from calibration_ladder import seeds_of
from marked_page import between
from scipy.sparse import csr_matrix
from scipy.special import expit
from scipy.stats import binomtest

import faultlens as fl
from faultlens.auditing.config import AuditConfig
from faultlens.corpus.answers import Answers
from faultlens.features.table import FeatureTable

FEATURES, PERMUTATIONS, ALPHA = 200, 1_000, 0.05
PAIRS = 120
ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "calibration_groups.jsonl"
PAGE = ROOT / "docs" / "calibration.md"
MARKS = "<!-- forms: begin -->", "<!-- forms: end -->"

Design = tuple[list[dict[str, Any]], list[np.ndarray]]
"""Records of prompts, and what outcome and features go with: numbers, `[prompts]` each."""


def questions(rng: np.random.Generator) -> Design:
    return records(fl.tasks.sycophancy()), [numbers(fl.tasks.sycophancy().groups["question"])]


def forms(rng: np.random.Generator) -> Design:
    task = fl.tasks.unanswerable()
    form = ["/".join(levels) for levels in zip(*task.factors.values(), strict=True)]
    return records(task), [numbers(task.groups["name"]), numbers(form)]


def names(rng: np.random.Generator) -> Design:
    rows, shared = forms(rng)
    return rows, shared[:1]


def pairs(rng: np.random.Generator) -> Design:
    task = fl.tasks.ioi(n=PAIRS, seed=int(rng.integers(1_000)))
    names = sorted(set(task.groups["indirect_object"]))
    one, other = records(task), records(task)
    for record, prompt in zip(other, task.prompts, strict=True):
        name = rng.choice([name for name in names if name not in prompt.text])
        record["prompt"] = prompt.text.replace(prompt.target, name)
        record["groups"] = {"indirect_object": name}
    return one + other, [np.tile(np.arange(PAIRS), 2)]


def twins(rng: np.random.Generator) -> Design:
    task = fl.tasks.ioi(n=PAIRS, seed=int(rng.integers(1_000)))
    one, other = records(task), records(task)
    for record in other:
        record["prompt"] = f"Now {record['prompt'][0].lower()}{record['prompt'][1:]}"
    return one + other, [np.tile(np.arange(PAIRS), 2)]


DESIGNS: dict[str, Callable[[np.random.Generator], Design]] = {
    "the questions of `sycophancy`": questions,
    "the names of `unanswerable`, effects of forms": forms,
    "pairs that differ in a name alone": pairs,
    "the names of `unanswerable`": names,
    "every sentence twice but for a word, grouped by name": twins,
}


def records(task: fl.Task) -> list[dict[str, Any]]:
    return [
        {"prompt": prompt.text, "target": "Zed", "factors": prompt.factors, "groups": prompt.groups}
        for prompt in task.prompts
    ]


def numbers(values: list[str]) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1]


def of_set(design: str, seed: int) -> dict[str, Any]:
    """Whether anything is found in a set, and in how many groups."""
    rng = np.random.default_rng([seed, list(DESIGNS).index(design)])
    rows, shared = DESIGNS[design](rng)
    effects = [rng.normal(0, 1, (of.max() + 1, FEATURES + 1))[of] for of in shared]
    values = np.sum(effects, axis=0) + rng.normal(0, 0.5, (len(rows), FEATURES + 1))
    failed = rng.random(len(rows)) < expit(2 * np.sum(effects, axis=0)[:, -1] - 1)
    found: dict[str, Any] = {"design": design, "seed": seed}
    strengths = csr_matrix(np.maximum(values[:, :-1] - 0.7, 0).astype(np.float32))
    table = FeatureTable(
        "noise", strengths, pd.DataFrame({"text": [r["prompt"] for r in rows]}), {}
    )
    told = [row | {"success": bool(not fails)} for row, fails in zip(rows, failed, strict=True)]
    for name, chosen in (("one by one", ("none",)), ("by group", ())):
        config = AuditConfig.of(permutations=PERMUTATIONS, baselines=False, groups=chosen)
        audit = fl.audit({"noise": table}, Answers.from_records(told, "noise"), config=config)
        found[name] = bool(audit.significant)
        found["groups"] = audit.groups.groups
    return found


def table(lines: Iterable[dict[str, Any]]) -> str:
    """The share of sets in which anything is found, with 95 % intervals (Clopper–Pearson)."""
    lines = list(lines)
    rows = [
        "| prompts | sets | groups | one by one | by group |",
        "| --- | --- | --- | --- | --- |",
    ]
    for design in DESIGNS:
        of = [line for line in lines if line["design"] == design]
        if of:
            shares = (share([line[how] for line in of]) for how in ("one by one", "by group"))
            groups = sorted({line["groups"] for line in of})
            ends = str(groups[0]) if len(groups) == 1 else f"{groups[0]} to {groups[-1]}"
            rows.append(f"| {design} | {len(of)} | {ends} | {' | '.join(shares)} |")
    return "\n".join(rows)


def share(found: list[bool]) -> str:
    ends = binomtest(sum(found), len(found)).proportion_ci()
    return f"{np.mean(found):.2f} [{ends.low:.2f}, {ends.high:.2f}]"


def with_table(page: str, lines: Iterable[dict[str, Any]]) -> str:
    """The page with the table between its marks."""
    return between(page, MARKS, table(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=200, help="of each design")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    done = {(line["design"], line["seed"]) for line in seeds_of(RESULTS)}
    for seed in range(0 if arguments.table else arguments.sets):
        for design in DESIGNS:
            if (design, seed) not in done:
                with RESULTS.open("a", encoding="utf-8") as out:
                    out.write(json.dumps(of_set(design, seed), ensure_ascii=False) + "\n")
    page = with_table(PAGE.read_text(encoding="utf-8"), seeds_of(RESULTS))
    PAGE.write_text(page, encoding="utf-8")
    print(table(seeds_of(RESULTS)))


if __name__ == "__main__":
    main()
