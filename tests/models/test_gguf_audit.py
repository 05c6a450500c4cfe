"""From a GGUF file to an audit without dictionaries: the path of `make real-smoke`, in small."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from gguf_files import write_gguf

from faultlens.auditing.activations.task_tokens import tokenize
from faultlens.auditing.result.audit import Audit
from faultlens.cli.main import main
from faultlens.corpus.task import read_task
from faultlens.models.checkpoints.gguf import convert
from faultlens.models.load import load_model

pytestmark = pytest.mark.usefixtures("one_thread")
NAMES = "Al Bo Cy Di Ed Fo Gus Hal".split()


def a_task(folder: Path) -> Path:
    """Pairs of names behind one of two words, of which a random network prefers either."""
    rows = [
        {
            "prompt": f"{word} {one} {other}", "target": one, "foil": other,
            "factors": {"word": word, "first": one},
        }
        for word in ("the hat", "a key") for one in NAMES for other in NAMES if one != other
    ]  # fmt: skip
    path = folder / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.mark.parametrize("architecture", ["llama", "gemma3"])
def test_a_gguf_file_is_audited_without_dictionaries(
    architecture: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    file = tmp_path / "tiny.gguf"
    network = write_gguf(file, architecture, "Q8_0")
    folder = tmp_path / "tiny"
    convert(file, folder)
    words = ["audit", str(a_task(tmp_path)), "--model", str(folder), "--rule", "target-over-foil"]
    options = ["--repeats", "1", "--out", str(tmp_path / "run")]
    monkeypatch.setattr(sys, "argv", ["faultlens", *words, *options])
    with pytest.raises(SystemExit) as leave:
        main()
    captured = capsys.readouterr()
    assert leave.value.code == 0, captured.err
    audit = Audit.from_dict(json.loads((tmp_path / "run" / "audit.json").read_text()))
    assert 5 < audit.failures < audit.n - 5, "both outcomes are there"
    assert audit.no_dictionaries is not None
    assert audit.no_dictionaries.patched == ["blocks.0.hook_resid_pre", "blocks.1.hook_resid_pre"]
    assert audit.baselines is not None and audit.baselines["residual"].auroc is not None
    assert f"faultlens train TEXTS --model {folder} --layers 0,1" in audit.no_dictionaries.train
    assert "To see features:" in captured.out
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["inputs"]["model"]["quantisation"] == "Q8_0"
    # The referee is the network that was written, its weights as they come out of the file.
    task = read_task(tmp_path / "pairs.jsonl")
    tokens = tokenize(task, load_model(str(folder)))
    for i in (0, 31, 77):
        with torch.no_grad():
            logits = network(torch.tensor([tokens.scored[i]])).logits[0, -1]
        difference = float(logits[tokens.target[i]] - logits[tokens.foil[i]])
        assert audit.outcomes[i].logit_difference == pytest.approx(difference, abs=1e-3)
        assert audit.outcomes[i].success == (difference > 0)
