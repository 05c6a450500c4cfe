"""`faultlens convert`: an ordinary folder of a GGUF file, or one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faultlens.cli.main import app
from faultlens.errors import UserError
from faultlens.models.load import load_model
from tests.models.gguf_files import write_gguf


def run(*arguments: str) -> None:
    app(list(arguments), result_action="return_value")


def test_the_folder_is_an_ordinary_model_that_names_its_quantisation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "tiny.Q8_0.gguf", tmp_path / "model"
    write_gguf(file, "llama", "Q8_0")
    run("convert", str(file), "--out", str(out))
    said = " ".join(capsys.readouterr().out.split())
    assert f"Written to {out}: the weights of tiny.Q8_0.gguf, stored as Q8_0, in float32." in said
    model = load_model(str(out))
    assert model.quantisation == "Q8_0"
    assert model.identity["quantisation"] == "Q8_0"
    assert model.caveats == [
        f"model {out} runs on weights that were stored as Q8_0: dictionaries trained on "
        "unquantised weights may fit less, see the fit check"
    ]
    assert (out / "model.safetensors").is_file()
    with pytest.raises(UserError, match=f"{out} "):
        run("convert", str(file), "--out", str(out))
    run("convert", str(file), "--out", str(tmp_path / "again"), "--json")
    assert json.loads(capsys.readouterr().out)["quantisation"] == "Q8_0"


def test_what_is_no_gguf_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        run("convert", "mini", "--out", str(tmp_path / "model"))
    assert str(error.value) == "mini is no GGUF file, and holds none: expected one to convert"
    assert not (tmp_path / "model").exists()
