"""A hub's model and a published release from the command line, as a user would run them.

The cache is laid out as the hub lays it out. One test finds it through HF_HOME, in a process of its
own, for the libraries read that once; the others are told of it in this process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hub_cache import (
    MODEL_COMMIT,
    RELEASE,
    SAE_COMMIT,
    SAE_REPOSITORY,
    put_gpt2,
    put_saes,
    use_cache,
)

Run = Callable[..., tuple[int, str, str]]
GPT2 = ["--model", "gpt2", "--sae", RELEASE]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, reference_data: Path) -> Path:
    """A HF_HOME whose cache is warm for the model and for layers 6 and 8."""
    home = tmp_path_factory.mktemp("home")
    put_gpt2(home / "hub", reference_data / "gpt2_tokenizer", width=48, heads=4)
    put_saes(home / "hub", [6, 8], width=48, features=256)
    return home


@pytest.fixture
def in_use(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is this process's, and the working folder a scratch one."""
    monkeypatch.chdir(tmp_path)
    use_cache(home / "hub", monkeypatch)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    lines = [{"text": f"x{i} = {i} + {i}", "category": "Code"} for i in range(8)]
    lines += [{"text": f"Hello there, number {i}!", "category": "Chat"} for i in range(8)]
    path = tmp_path / "corpus.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_a_profile_reads_gpt2_through_a_release(home: Path, corpus: Path) -> None:
    arguments = ["profile", corpus, *GPT2, "--layers", "6,8", "--permutations", "99"]
    done = subprocess.run(
        [sys.executable, "-m", "faultlens.cli.main", *arguments, "--no-fit-check", "--out", "run"],
        cwd=corpus.parent, env={**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1"},
        capture_output=True, text=True, check=False,
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


@pytest.mark.usefixtures("in_use")
def test_an_audit_runs_ioi_on_gpt2(run: Run) -> None:
    code, out, err = run(
        "audit", "ioi", "-n", "12", *GPT2, "--layers", "8", "--permutations", "99",
        "--no-fit-check", "--json",
    )  # fmt: skip
    assert code == 0, err
    assert json.loads(out)["n"] == 12


@pytest.mark.usefixtures("in_use")
def test_random_dictionaries_are_stopped_with_the_published_values_beside(
    run: Run, corpus: Path
) -> None:
    code, out, err = run("doctor", *GPT2, "--layers", "8")
    assert code == 2
    assert "    published: FVU 0.100, L0 60" in out
    assert "residuals as they are: " in out
    assert "faultlens: dictionary 8-res-jb" in err
    code, _, err = run("profile", corpus, *GPT2, "--layers", "8", "--out", "run")
    assert code == 2
    assert "or give --no-fit-check to go on" in err or "or --no-fit-check" in err
    assert not Path("run").exists()


def test_with_neither_cache_nor_network_one_sentence_helps(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_cache(tmp_path / "nothing", monkeypatch)
    code, out, err = run("audit", "ioi", *GPT2, "--layers", "8")
    assert (code, out) == (2, "")
    lines = [line for line in err.splitlines() if line.startswith("faultlens: ")]
    assert lines == [
        "faultlens: model 'gpt2' is not in the local Hugging Face cache and the hub cannot be "
        "reached: connect once to download it (about 548 MB), or use --model mini, which needs "
        "nothing"
    ]
    assert "Traceback" not in err
