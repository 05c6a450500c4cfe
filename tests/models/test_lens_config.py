"""Which model and dictionaries: what cannot be meant is refused before anything is loaded."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import faultlens as fl
from faultlens.errors import UserError
from faultlens.mini import LANGUAGE_MODEL, SAES
from faultlens.models import load


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"model": "gpt2", "release": "gpt2-small-res-jb"},
            "release (--release) says how dictionaries read, and there are none: name them with "
            "sae (--sae)",
        ),
        ({"layers": [-1]}, "layer -1: expected a whole number of at least 0"),
        ({"layers": [2.5]}, "layer 2.5: expected a whole number of at least 0"),
        (
            {"sites": ["resid_pst"]},
            "unknown site 'resid_pst': expected one of resid_pre, z, attn_out, resid_mid, "
            "mlp_normalized, mlp_in, mlp_out, resid_post, all",
        ),
        ({"sites": "resid_pre"}, "sites 'resid_pre': expected a list of names, e.g. ['resid_pre']"),
        (
            {"dtype": "int8"},
            "unknown dtype 'int8': expected one of auto, float32, bfloat16, float16",
        ),
        (
            {"convention": "raw"},
            "convention 'raw': expected a list of names, e.g. ['centred']",
        ),
        (
            {"convention": ["raw", "centred"]},
            "conventions 'raw' and 'centred' exclude each other: give one",
        ),
        ({"trust_pickle": 1}, "trust_pickle 1: expected True or False"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_the_model_is_loaded(
    options: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loaded(*arguments: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(load, "load_model", loaded)
    with pytest.raises(UserError) as told:
        fl.load(**options)
    assert str(told.value) == message


def test_a_config_and_keywords_go_together() -> None:
    config = fl.LensConfig(layers=(5,), sites=("all",))
    names = [d.name for d in fl.load(config=config).dictionaries]
    assert names == ["5-res-mini", "5-att-mini", "5-mlp-mini"]
    alone = fl.load("mini", config=config, sites=["mlp_out"])
    assert [d.name for d in alone.dictionaries] == ["5-mlp-mini"]


def test_an_adapter_beside_the_weights_is_asked_about_and_can_be_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "tuned"
    shutil.copytree(LANGUAGE_MODEL, folder)
    (folder / "adapter_config.json").write_text("{}")
    asked = {"sae": str(SAES), "layers": [3]}
    with pytest.raises(UserError) as told:
        fl.load(str(folder), **asked)
    assert str(told.value) == (
        f"model {str(folder)!r} has a PEFT adapter beside its weights (adapter_config.json): give "
        f"--adapter {folder} to apply it, or --adapter none to leave it out"
    )
    assert fl.load(str(folder), **asked, adapter="none").model.n_layers == 6
