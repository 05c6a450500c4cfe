"""Writes the log of the third tutorial: `mini`'s answers as lm-eval writes samples and results.

`python docs/tutorial_log.py`, from the repository's root.
"""

from __future__ import annotations

import json
from pathlib import Path

import faultlens as fl

LOG = Path(__file__).with_name("tutorials") / "samples_mini_ioi_2026-11-27T10-00-00.jsonl"
RESULTS = LOG.with_name("results_2026-11-27T10-00-00.json")
PROMPTS, SEED = 100, 5


def main() -> None:
    task = fl.tasks.mini_ioi(n=PROMPTS, seed=SEED)
    audit = fl.audit(
        fl.load("mini", layers=[5]), task, permutations=99, baselines=False, test_classes=0,
        test_attributed=0, fit_check=False,
    )  # fmt: skip
    rows = [
        {
            "doc_id": place,
            "doc": {"prompt": prompt.text, "target": prompt.target, **prompt.factors},
            "target": prompt.target,
            "arguments": {"gen_args_0": {"arg_0": prompt.text, "arg_1": {"until": ["\n"]}}},
            "resps": [[outcome.generated]],
            "filtered_resps": [outcome.generated],
            "filter": "none",
            "metrics": ["exact_match"],
            "exact_match": float(outcome.success),
        }
        for place, (prompt, outcome) in enumerate(zip(task.prompts, audit.outcomes, strict=True))
    ]
    model = {"model": "hf", "model_args": "pretrained=mini,add_bos_token=True"}
    results = {"lm_eval_version": "0.4.13", "model_name": "mini", "config": model}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    LOG.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
