"""Makes sample logs with lm-eval itself, offline, on `mini`; `make_logs.py` runs it.

Writes OUT/mini/samples_TASK_DATE.jsonl and OUT/mini/results_DATE.json, as `--log_samples` does.
"""

from __future__ import annotations

import json
from pathlib import Path

from lm_eval import simple_evaluate
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

from faultlens.corpus.tasks import mini_ioi

COMMON = """
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: {kind}
doc_to_text: "{text}"
"""
CHOICE = """task: mini_choice
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{label}}}}"
metric_list:
  - metric: acc
  - metric: acc_norm
  - metric: acc_bytes
  - metric: acc_mutual_info
"""
GENERATION = """task: mini_generation
doc_to_target: "{{{{target}}}}"
generation_kwargs:
  until: ["\\n"]
  max_gen_toks: 8
  do_sample: false
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
    ignore_case: false
filter_list:
  - name: first-word
    filter:
      - function: regex
        regex_pattern: "([A-Za-z]+)"
      - function: take_first
  - name: whole
    filter:
      - function: take_first
"""
LIKELIHOOD = """task: mini_likelihood
doc_to_target: " {{{{target}}}}"
metric_list:
  - metric: perplexity
  - metric: acc
"""
CONTEXTS = """task: mini_contexts
doc_to_choice: !function contexts.doc_to_choice
doc_to_target: !function contexts.doc_to_target
metric_list:
  - metric: acc
"""
IN_CONTEXT = """
def names(doc):
    return [name for name in doc["choices"] if name != "the landlord"]


def doc_to_text(doc):
    return names(doc).index(doc["target"])


def doc_to_choice(doc):
    return [f"{doc['prompt']} {name}" for name in names(doc)]


def doc_to_target(doc):
    return ". Then they went home."
"""


def main(folder: str, out: Path) -> None:
    tasks = out / "tasks"
    tasks.mkdir(parents=True)
    data = tasks / "data.jsonl"
    rows = []
    for i, p in enumerate(mini_ioi(n=60).prompts):
        choices = [p.target, p.foil, "the landlord"]
        label = i % 3
        choices = choices[-label:] + choices[:-label] if label else choices
        rows.append({"prompt": p.text, "target": p.target, "choices": choices,
                     "label": choices.index(p.target), **p.factors})  # fmt: skip
    data.write_text("\n".join(map(json.dumps, rows)))
    (tasks / "contexts.py").write_text(IN_CONTEXT)
    text = "{{prompt}}"
    for name, kind, config in (
        ("choice", "multiple_choice", CHOICE),
        ("generation", "generate_until", GENERATION),
        ("likelihood", "loglikelihood", LIKELIHOOD),
        ("contexts", "multiple_choice", CONTEXTS),
    ):
        common = COMMON.format(data=data, kind=kind, text=text)
        if name == "contexts":
            common = common.replace(f'"{text}"', "!function contexts.doc_to_text")
        (tasks / f"{name}.yaml").write_text(config.format() + common)
    tracker = EvaluationTracker(output_path=str(out))
    results = simple_evaluate(
        model="hf", model_args={"pretrained": folder, "dtype": "float32"}, device="cpu",
        tasks=["mini_choice", "mini_generation", "mini_likelihood", "mini_contexts"],
        task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
        batch_size=16, log_samples=True, evaluation_tracker=tracker, bootstrap_iters=0,
        verbosity="ERROR",
    )  # fmt: skip
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    for task in results["configs"]:
        tracker.save_results_samples(task_name=task, samples=samples[task])
