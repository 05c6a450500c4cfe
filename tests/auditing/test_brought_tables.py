"""Audits of answers: what brought tables load, and what is said of prompts read through a lens."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

import faultlens as fl

LIGHT = """
import sys
from pathlib import Path
import faultlens as fl
from faultlens.features.table import table_from_matrix
answers = fl.read_answers({outcomes!r})
texts = [prompt.text for prompt in answers.task.prompts]
table = table_from_matrix("8-res-x", Path({matrix!r}), texts, "max")
audit = fl.audit({{"8-res-x": table}}, answers, permutations=99, baselines=False)
print(audit.n, sorted({{"torch", "transformers", "sae_lens"}} & set(sys.modules)))
"""
BOS = "<|endoftext|>"


def outcomes(path: Path, beginning: str = "") -> str:
    lines = [
        {"prompt": f"{beginning}Prompt {i}: Ann gave it to", "target": "Tom", "success": i % 4 > 0}
        for i in range(40)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    return str(path)


def test_an_audit_of_brought_tables_loads_no_framework(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "a.npy", rng.lognormal(size=(40, 9)) * (rng.random((40, 9)) < 0.4))
    code = LIGHT.format(
        outcomes=outcomes(tmp_path / "outcomes.jsonl"), matrix=str(tmp_path / "a.npy")
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "40 []"


def test_prompts_with_bos_of_their_own_are_said(tmp_path: Path) -> None:
    lens = fl.load("mini", layers=[3])
    options = {"permutations": 99, "baselines": False, "fit_check": False}
    said = "40 texts begin with BOS, which is therefore not put in front again"
    for beginning, expected in ((BOS, True), ("", False)):
        answers = fl.read_answers(outcomes(tmp_path / "outcomes.jsonl", beginning))
        assert (said in fl.audit(lens, answers, **options).warnings) is expected
