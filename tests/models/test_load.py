"""Loading by name: what is refused, and that nothing is filled up at random."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import faultlens as fl
from faultlens.errors import UserError
from faultlens.mini import LANGUAGE_MODEL, SAES
from faultlens.models.dictionaries import load_dictionaries
from faultlens.models.load import load_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(LANGUAGE_MODEL, tmp_path / "model"))


def test_a_local_folder_is_the_model_it_holds(folder: Path) -> None:
    ids = torch.tensor([[0, 5, 99, 7]])
    assert torch.equal(load_model(str(folder)).logits(ids), load_model("mini").logits(ids))
    assert load_model(str(folder)).digest == load_model("mini").digest


def test_the_digest_knows_the_configuration_too(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "layer_norm_epsilon": 1e-4}))
    assert load_model(str(folder)).digest != load_model("mini").digest


def test_missing_weights_are_refused_and_not_made_up(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if "h.1.mlp" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"has no weights for transformer\.h\.1\.mlp"):
        load_model(str(folder))


def test_weights_that_are_not_numbers_are_refused(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["transformer.h.2.mlp.c_fc.bias"][5] = float("nan")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"NaN or infinite in transformer\.h\.2\.mlp\.c_fc\.bias"):
        load_model(str(folder))


@pytest.mark.parametrize("kept", [3, 1])
def test_a_configuration_with_fewer_layers_than_the_weights_is_refused(
    folder: Path, kept: int
) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_layer": kept}))
    expected = rf"its config\.json has no place for, e\.g\. (transformer\.)?h\.{kept}\.attn\.c_"
    with pytest.raises(UserError, match=expected):
        load_model(str(folder))
    (folder / "config.json").write_text(json.dumps({**config, "n_layer": config["n_layer"] + 1}))
    with pytest.raises(UserError, match=r"has no weights for transformer\.h\.6\."):
        load_model(str(folder))


def test_what_old_files_repeat_in_each_block_is_no_layer_too_many(folder: Path) -> None:
    """GPT-2's and Pythia's published files hold masks and position tables beside the weights."""
    tensors = load_file(folder / "model.safetensors")
    more = {"transformer.h.0.attn.bias": torch.ones(1, 1, 4, 4), "something.else": torch.ones(2)}
    save_file({**tensors, **more}, folder / "model.safetensors", metadata={"format": "pt"})
    ids = torch.tensor([[0, 5, 99, 7]])
    assert torch.equal(load_model(str(folder)).logits(ids), load_model("mini").logits(ids))


@pytest.mark.parametrize("broken", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_broken_file_is_one_sentence(folder: Path, broken: str) -> None:
    (folder / broken).write_text("{}" if broken == "tokenizer.json" else "version git-lfs")
    with pytest.raises(UserError, match="cannot be loaded: .*; expected config.json, safe"):
        load_model(str(folder))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_layer": "six"}, "config.json says n_layer = 'six', expected a whole number from 1 to"),
        ({"n_positions": 8}, "its weights have other shapes than its config.json says"),
        ([], "config.json holds a list, expected a JSON object; fetch the file again"),
    ],
)
def test_a_configuration_that_no_loader_expects_is_one_sentence(
    folder: Path, changes: dict[str, object], message: str
) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes} if changes else []))
    with pytest.raises(UserError, match=message):
        load_model(str(folder))


def test_names_and_options_that_can_mean_no_model(folder: Path) -> None:
    for name in ("a/b/c", "", "x y"):
        with pytest.raises(UserError, match=r"expected 'mini', a .*model folder"):
            load_model(name)
    with pytest.raises(UserError, match="--revision v1 means nothing for mini, which is not from"):
        load_model("mini", revision="v1")
    with pytest.raises(UserError, match="device 'meta' cannot be used"):
        load_model("mini", device="meta")


@pytest.mark.parametrize(
    ("model_type", "sentence"),
    [
        ("mamba", "has no weights for backbone.embeddings.weight and .* other tensors"),
        ("not-yet-known", "models of type 'not-yet-known' are not supported: .* e.g. .*gpt2"),
    ],
)
def test_a_type_that_the_weights_are_not_of_is_refused(
    folder: Path, model_type: str, sentence: str
) -> None:
    """One that Transformers has, and one that it has not."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": model_type}))
    with pytest.raises(UserError, match=sentence):
        load_model(str(folder))


def test_a_folder_without_weights_is_one_sentence(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="cannot be loaded"):
        load_model(str(folder))


def test_dictionaries_of_another_width_are_refused(tmp_path: Path) -> None:
    sae = tmp_path / "narrow" / "blocks.2.hook_resid_pre"
    shutil.copytree(SAES / "blocks.2.hook_resid_pre", sae)
    config = json.loads((sae / "cfg.json").read_text())
    (sae / "cfg.json").write_text(json.dumps({**config, "d_in": 100}))
    tensors = load_file(sae / "sae_weights.safetensors")
    tensors["W_enc"], tensors["W_dec"] = tensors["W_enc"][:100], tensors["W_dec"][:, :100]
    tensors["b_dec"] = tensors["b_dec"][:100]
    save_file({k: v.contiguous() for k, v in tensors.items()}, sae / "sae_weights.safetensors")
    with pytest.raises(UserError, match="reads 100 dimensions, but model mini has 192"):
        load_dictionaries(str(tmp_path / "narrow"), load_model("mini"))


def test_layers_and_sites_choose() -> None:
    assert [d.name for d in fl.load("mini", layers=[2, 5]).dictionaries] == [
        "2-res-mini",
        "5-res-mini",
    ]
    names = [d.name for d in fl.load("mini", layers=[5], sites=["all"]).dictionaries]
    assert names == ["5-res-mini", "5-att-mini", "5-mlp-mini"]
