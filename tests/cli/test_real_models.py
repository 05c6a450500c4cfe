"""A hub's model and a published release from the command line, as a user would run them.

The cache is laid out as the hub lays it out, and is found through HF_HOME as any cache is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub_cache import MODEL_COMMIT, RELEASE, SAE_COMMIT, SAE_REPOSITORY, put_gpt2, put_saes

GPT2 = ["--model", "gpt2", "--sae", RELEASE]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, reference_data: Path) -> Path:
    """A HF_HOME whose cache is warm for the model and for layers 6 and 8."""
    home = tmp_path_factory.mktemp("home")
    put_gpt2(home / "hub", reference_data / "gpt2_tokenizer", width=48, heads=4)
    put_saes(home / "hub", [6, 8], width=48, features=256)
    return home


def faultlens(home: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "faultlens.cli.main", *arguments],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    lines = [{"text": f"x{i} = {i} + {i}", "category": "Code"} for i in range(8)]
    lines += [{"text": f"Hello there, number {i}!", "category": "Chat"} for i in range(8)]
    path = tmp_path / "corpus.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_a_profile_reads_gpt2_through_a_release(home: Path, corpus: Path) -> None:
    done = faultlens(
        home, corpus.parent, "profile", str(corpus), *GPT2, "--layers", "6,8", "--permutations",
        "99", "--no-fit-check", "--out", "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = corpus.parent / "run"
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["inputs"]["model"] == {
        "name": "gpt2",
        "digest": MODEL_COMMIT,
        "start_token": "<|endoftext|>",
    }
    eight = manifest["inputs"]["dictionaries"]["8-res-jb"]
    assert eight["source"] == f"{SAE_REPOSITORY}@{SAE_COMMIT}/blocks.8.hook_resid_pre"
    assert manifest["conventions"]["8-res-jb"]["centred"] is True
    profile = json.loads((run / "profile.json").read_text())
    assert list(profile["sites"]) == ["6-res-jb", "8-res-jb"]


def test_an_audit_runs_ioi_on_gpt2(home: Path, tmp_path: Path) -> None:
    done = faultlens(
        home, tmp_path, "audit", "ioi", "-n", "12", *GPT2, "--layers", "8", "--permutations", "99",
        "--no-fit-check", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["n"] == 12


def test_random_dictionaries_are_stopped_with_the_published_values_beside(
    home: Path, corpus: Path
) -> None:
    done = faultlens(home, corpus.parent, "doctor", *GPT2, "--layers", "8")
    assert done.returncode == 2
    assert "    published: FVU 0.100, L0 60" in done.stdout
    assert "residuals as they are: " in done.stdout
    assert "faultlens: dictionary 8-res-jb" in done.stderr
    run = faultlens(
        home, corpus.parent, "profile", str(corpus), *GPT2, "--layers", "8", "--out", "run"
    )
    assert run.returncode == 2
    assert "or give --no-fit-check to go on" in run.stderr or "or --no-fit-check" in run.stderr
    assert not (corpus.parent / "run").exists()


def test_with_neither_cache_nor_network_one_sentence_helps(tmp_path: Path) -> None:
    done = faultlens(tmp_path / "nothing", tmp_path, "audit", "ioi", *GPT2, "--layers", "8")
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("faultlens: ")]
    assert lines == [
        "faultlens: model 'gpt2' is not in the local Hugging Face cache and the hub cannot be "
        "reached: connect once to download it (about 548 MB), or use --model mini, which needs "
        "nothing"
    ]
    assert "Traceback" not in done.stderr
