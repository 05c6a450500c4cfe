"""`faultlens doctor --model M` without dictionaries: 0 where every check holds, else 1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from faultlens.cli.main import app
from faultlens.errors import UserError
from faultlens.models import families
from faultlens.models.families.decoder import Decoder, Taps
from faultlens.models.families.llama import taps
from tests.models.families import save_family


def run(*arguments: str) -> None:
    app(list(arguments), result_action="return_value")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_family("llama", tmp_path_factory.mktemp("llama"))


def test_a_model_that_is_read_rightly(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("doctor", "--model", str(folder))
    said = capsys.readouterr().out
    assert f"{folder}: llama, a family file; 24 sites in 3 layers." in " ".join(said.split())
    assert "FAILS" not in said
    assert said.count("holds") == 8
    run("doctor", "--model", str(folder), "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["holds"] and found["packs"] and found["skips"] and found["resumes"]


def test_a_family_file_that_is_wrong_ends_with_one(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(block: Any) -> Taps:
        right = taps(block)
        return {**right, "attn_out": right["mlp_out"]}

    monkeypatch.setitem(families.FAMILIES, "llama", Decoder(mistaken))
    with pytest.raises(SystemExit) as left:
        run("doctor", "--model", str(folder))
    assert left.value.code == 1
    assert "FAILS  what attention and MLP add" in capsys.readouterr().out


def test_other_commands_still_need_dictionaries(folder: Path) -> None:
    with pytest.raises(UserError) as error:
        run("tokens", "w1 w2", "--feature", "3/17", "--model", str(folder))
    assert str(error.value) == (
        f"model {str(folder)!r} needs dictionaries: name them with sae (--sae)"
    )
