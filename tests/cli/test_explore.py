"""`faultlens explore`: what it says before it serves, and its mistakes."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from importlib import util
from pathlib import Path

import pytest

from faultlens.cli.corpora import CorpusColumns, TextColumn, read_named_corpus
from faultlens.cli.explore import _lens, _texts
from faultlens.errors import UserError
from faultlens.explorer.server import Listening
from faultlens.features.dataset.survey import Survey
from faultlens.models.lens_config import LensConfig

Run = Callable[..., tuple[int, str, str]]


def test_the_address_is_said_and_ctrl_c_ends_it(
    run: Run, mini_runs: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(listening: Listening) -> None:
        host, port = listening.taken.getsockname()
        listening.taken.close()
        assert host == "127.0.0.1" and str(port) in listening.address
        raise KeyboardInterrupt

    monkeypatch.setattr(Listening, "run", stopped)
    code, out, err = run("explore", mini_runs[3], "--port", "0")
    assert (code, err) == (0, "")
    first, second = out.splitlines()
    assert first.startswith(f"Exploring {mini_runs[3]} at http://127.0.0.1:")
    assert len(first.rpartition("?token=")[2]) == 43
    assert second == "Ctrl-C ends it; nothing is written."


def test_mistakes_are_one_sentence(
    run: Run, mini_runs: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("explore", "nowhere") == (
        2, "", "faultlens: no folder nowhere: expected the folder of a run or of a store\n"
    )  # fmt: skip
    code, _, err = run("explore", mini_runs[3], "--port", "70000")
    assert (code, err) == (2, "faultlens: --port 70000: expected a whole number from 0 to 65535\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        code, _, err = run("explore", mini_runs[3], "--port", port)
    assert (code, err) == (2, f"faultlens: port {port} cannot be had (address already in use): "
                           "choose another with --port, or 0 for any\n")  # fmt: skip
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    code, _, err = run("explore", mini_runs[3])
    assert (code, err) == (2, "faultlens: faultlens explore needs starlette, uvicorn, duckdb: "
                           "pip install 'faultlens[explore]'\n")  # fmt: skip


def test_the_texts_of_a_store_and_of_a_profile_are_read_again_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text('{"text": "one", "category": "a"}\n{"text": "two", "category": "b"}\n')
    store, profiled = tmp_path / "store", tmp_path / "profiled"
    for folder, record in (
        (store, {"plan": {}}),
        (profiled, {"arguments": {"corpus": str(file), "text": "text", "label": "category"}}),
    ):
        folder.mkdir()
        (folder / "manifest.json").write_text(json.dumps(record))
    digest = Survey.digest_of(["one", "two"])
    assert list(_texts(store, str(file), TextColumn(), digest)) == ["one", "two"]
    of_corpus = read_named_corpus(str(file), CorpusColumns()).digest
    assert list(_texts(profiled, None, TextColumn(), of_corpus)) == ["one", "two"]
    with pytest.raises(UserError) as raised:
        _texts(store, None, TextColumn(), digest)
    assert str(raised.value) == "name the corpus that it is of with --corpus"
    with pytest.raises(UserError) as raised:
        _texts(store, str(file), TextColumn(), "another")
    assert str(raised.value) == (
        f"the corpus {file} holds other texts than the ones that were read"
    )


def test_the_model_of_a_store_is_loaded_or_refused(mini_store: Path) -> None:
    record = json.loads((mini_store / "manifest.json").read_text())
    lens = _lens(mini_store, record, LensConfig(), set())
    assert [dictionary.name for dictionary in lens.dictionaries] == ["3-res-mini"]
    record["plan"]["dictionaries"]["3-res-mini"]["digest"] = "another"
    with pytest.raises(UserError) as raised:
        _lens(mini_store, record, LensConfig(), set())
    assert str(raised.value) == (
        f"the dictionary 3-res-mini is not the one that {mini_store} was read through: name that "
        "one with --sae"
    )
    record = json.loads((mini_store / "manifest.json").read_text())
    record["plan"]["model"]["digest"] = "another"
    with pytest.raises(UserError, match="was read with: name that one with --model$"):
        _lens(mini_store, record, LensConfig(), set())
