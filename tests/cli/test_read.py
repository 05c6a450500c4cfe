"""`faultlens read` on the bundled model: what lies there, what is said, and how it goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faultlens.features.dataset import shard_work
from faultlens.features.dataset.reading import ActivationDataset
from tests.cli.calling import run


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Texts without categories: a store needs none."""
    path = tmp_path / "texts.jsonl"
    lines = [{"text": f"Mary gave the book number {i} to Tom."} for i in range(5)]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_a_store_is_written_and_found_whole_the_next_time(
    capsys: pytest.CaptureFixture[str], texts: Path, tmp_path: Path
) -> None:
    given = (texts, "--layers", "2,3", "--no-fit-check", "--out", tmp_path / "store")
    code, out, err = run(capsys, "read", *given)
    assert (code, out) == (0, f"5 texts in {tmp_path / 'store'}, shards: 1\n")
    assert "Reading the tokens" in err
    store = ActivationDataset.open(tmp_path / "store")
    assert store.names == ["2-res-mini", "3-res-mini"]
    assert store.plan.corpus["texts"] == 5
    assert store.plan.shapes.encoding in ("plain", "bfloat16", "int8")
    code, out, _ = run(capsys, "read", *given, "--json")
    assert code == 0
    assert json.loads(out) == {
        "store": str(tmp_path / "store"), "shards": 1, "kept": 1, "rebuilt": [], "texts": 5,
        "silent": [], "left_out": {"2-res-mini": {}, "3-res-mini": {}},
    }  # fmt: skip
    code, out, err = run(capsys, "read", *given[:2], "3", *given[3:])
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == (
        f"faultlens: {tmp_path / 'store'} holds a store made with dictionaries 2-res-mini, "
        "3-res-mini, not 3-res-mini: give what it was made with, or choose another --out"
    )


def test_ctrl_c_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str], texts: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def interrupted(*given: object) -> None:
        raise KeyboardInterrupt

    given = (texts, "--layers", "3", "--no-fit-check", "--out", tmp_path / "store")
    with monkeypatch.context() as patch:
        patch.setattr(shard_work, "write_shard", interrupted)
        code, out, err = run(capsys, "read", *given)
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == (
        f"faultlens: interrupted; what was read is kept in {tmp_path / 'store'}; the same command "
        "goes on from there"
    )
    assert run(capsys, "read", *given)[0] == 0
    path = tmp_path / "store" / "3-res-mini" / "00000.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    code, _, err = run(capsys, "read", *given)
    assert code == 0
    assert f"warning: {path} was damaged (its hash is not that of the manifest)" in err


def test_a_folder_that_cannot_be_written_is_one_sentence(
    capsys: pytest.CaptureFixture[str], texts: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    given = (texts, "--layers", "3", "--no-fit-check", "--out", tmp_path / "file" / "store")
    code, _, err = run(capsys, "read", *given)
    assert code == 2
    assert err.splitlines()[-1] == (
        f"faultlens: {tmp_path / 'file' / 'store'} cannot be written: Not a directory"
    )
