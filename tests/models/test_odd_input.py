"""Damaged, hostile and merely odd files and names: one sentence each, and never a traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import faultlens as fl
from faultlens.errors import UserError
from faultlens.mini import LANGUAGE_MODEL, SAES
from faultlens.models.load import load_model
from faultlens.models.sites import Site

pytestmark = pytest.mark.usefixtures("one_thread")
ONE_SAE = SAES / "blocks.3.hook_resid_pre"
DEEP = ["[" * 200_000, '{"a":' * 100_000 + "1" + "}" * 100_000]
GARBAGE = ["", "{", "[]", "null", "\xff", *DEEP]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(LANGUAGE_MODEL, tmp_path / "model"))


@pytest.fixture
def sae(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ONE_SAE, tmp_path / "sae"))


def told(attempt: Callable[[], Any]) -> str:
    """The sentence that the attempt ends in."""
    with pytest.raises(UserError) as error:
        attempt()
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 700, message
    return message


def changed(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


@pytest.mark.parametrize(
    "name",
    ["x" * 5000, "a" * 241, "/" + "x" * 300, "é" * 200, "x\0y", "\ud800", "." * 1000, "mini\n"],
)
def test_names_that_no_model_or_dictionary_can_have(name: str) -> None:
    assert told(lambda: load_model(name)).startswith(("no model", "no file or folder"))
    assert told(lambda: fl.load("mini", name)).startswith("no dictionaries called")


@pytest.mark.parametrize("content", GARBAGE)
@pytest.mark.parametrize(
    "file", ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"]
)
def test_damaged_files_of_a_model(model: Path, file: str, content: str) -> None:
    (model / file).write_text(content, encoding="latin-1")
    assert str(model) in told(lambda: load_model(str(model)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_layer", 10**30), ("n_layer", 10**400), ("n_layer", -1), ("n_layer", True),
        ("n_layer", 6.0), ("n_embd", 10**9), ("n_head", 10**30), ("n_head", 0), ("n_inner", 10**30),
        ("n_positions", 10**30), ("n_positions", 0), ("vocab_size", 1e300), ("vocab_size", 10**12),
    ],
)  # fmt: skip
def test_sizes_that_no_model_has_are_refused_before_it_is_built(
    model: Path, field: str, value: Any
) -> None:
    """Ten to the thirty layers would be built until the memory is full."""
    changed(model / "config.json", **{field: value})
    message = told(lambda: load_model(str(model)))
    assert f"config.json says {field} = " in message
    assert "expected a whole number from " in message


@pytest.mark.parametrize(
    "fields",
    [
        {"n_head": 7}, {"layer_norm_epsilon": "x"}, {"model_type": {"a": 1}},
        {"model_type": None}, {"activation_function": "nope"}, {"eos_token_id": [[]]},
        {"quantization_config": "x"}, {"dtype": "nope"},
    ],
)  # fmt: skip
def test_values_that_no_loader_expects(model: Path, fields: dict[str, Any]) -> None:
    changed(model / "config.json", **fields)
    assert "cannot be loaded: " in told(lambda: load_model(str(model)))


@pytest.mark.parametrize("epsilon", [float("nan"), float("inf"), -1e9])
def test_settings_that_make_every_value_nan_are_told_at_the_first_site(
    model: Path, epsilon: float
) -> None:
    changed(model / "config.json", layer_norm_epsilon=epsilon)
    loaded = load_model(str(model))
    site = Site(1, "resid_pre")
    if epsilon == float("inf"):  # everything is scaled to 0, which is finite
        assert loaded.read(torch.tensor([[0, 5, 9]]), [site])[site].isfinite().all()
        return
    assert "are infinite or NaN at blocks.1.hook_resid_pre" in told(
        lambda: loaded.read(torch.tensor([[0, 5, 9]]), [site])
    )


@pytest.mark.parametrize("end", [[10**30], 10**12, -5, {}, True])
def test_ends_of_texts_that_are_no_tokens(model: Path, end: Any) -> None:
    changed(model / "generation_config.json", eos_token_id=end)
    message = told(lambda: load_model(str(model)).generate([[0, 5]], 1))
    assert "eos_token_id = " in message or "cannot be loaded" in message


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def nothing(path: Path) -> None:
    path.write_bytes(b"")


def a_vast_header(path: Path) -> None:
    path.write_bytes((2**62).to_bytes(8, "little") + b"{}")


@pytest.mark.parametrize("damage", [a_folder, a_loop, nothing, a_vast_header])
@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_files_that_are_no_files(model: Path, file: str, damage: Callable[[Path], None]) -> None:
    damage(model / file)
    assert str(model) in told(lambda: load_model(str(model)))


@pytest.mark.parametrize("damage", [a_folder, a_loop, nothing, a_vast_header])
@pytest.mark.parametrize("file", ["cfg.json", "sae_weights.safetensors"])
def test_files_of_a_dictionary_that_are_no_files(
    sae: Path, file: str, damage: Callable[[Path], None]
) -> None:
    damage(sae / file)
    assert str(sae) in told(lambda: fl.load("mini", str(sae)))


@pytest.mark.parametrize("content", GARBAGE)
def test_damaged_configurations_of_a_dictionary(sae: Path, content: str) -> None:
    (sae / "cfg.json").write_text(content, encoding="latin-1")
    assert str(sae) in told(lambda: fl.load("mini", str(sae)))


@pytest.mark.parametrize(
    "fields",
    [
        {"d_in": 10**400}, {"d_in": 1e300}, {"d_sae": -1}, {"k": 0, "architecture": "topk"},
        {"k": 10**30, "architecture": "topk"}, {"sae_lens_version": "²"}, {"metadata": 5},
        {"sae_lens_version": "9" * 5000}, {"architecture": {}}, {"normalize_activations": 5},
    ],
)  # fmt: skip
def test_odd_values_in_the_configuration_of_a_dictionary(sae: Path, fields: dict[str, Any]) -> None:
    """A version that is none is that of no newer form, whose metadata then count for nothing."""
    changed(sae / "cfg.json", **fields)
    if "sae_lens_version" in fields:
        assert len(fl.load("mini", str(sae)).dictionaries) == 1
        return
    told(lambda: fl.load("mini", str(sae)))


@pytest.mark.parametrize("layer", ["²", "٣", "9" * 5000, "-1", "99999999999999999999", "1e3", ""])
def test_layers_that_are_no_numbers(sae: Path, layer: str) -> None:
    config = json.loads((sae / "cfg.json").read_text())
    config["metadata"]["hook_name"] = f"blocks.{layer}.hook_resid_pre"
    (sae / "cfg.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="unknown site 'blocks"):
        fl.load("mini", str(sae))


@pytest.mark.parametrize("kind", [torch.int32, torch.bool, torch.complex64])
def test_tensors_that_hold_no_real_numbers(sae: Path, kind: torch.dtype) -> None:
    tensors = load_file(sae / "sae_weights.safetensors")
    tensors["W_enc"] = tensors["W_enc"].to(kind)
    save_file(tensors, sae / "sae_weights.safetensors")
    assert "tensor 'W_enc' is of type " in told(lambda: fl.load("mini", str(sae)))


def test_weights_so_large_that_nothing_is_rebuilt(sae: Path) -> None:
    tensors = {n: t.float() for n, t in load_file(sae / "sae_weights.safetensors").items()}
    tensors["W_enc"], tensors["W_dec"] = tensors["W_enc"] * 1e25, tensors["W_dec"] * 1e25
    save_file(tensors, sae / "sae_weights.safetensors")
    lens = fl.load("mini", str(sae))
    assert told(lens.checked) == (
        "dictionary 3-res-sae rebuilds values that are infinite or NaN at "
        "blocks.3.hook_resid_pre: its weights are damaged; fetch it again"
    )


def test_weights_that_are_all_zero(model: Path, sae: Path) -> None:
    """A model that holds the same everywhere, and a dictionary that rebuilds nothing."""
    zero = {n: torch.zeros_like(t) for n, t in load_file(model / "model.safetensors").items()}
    save_file(zero, model / "model.safetensors", metadata={"format": "pt"})
    lens = fl.load(str(model), str(ONE_SAE))
    assert "is the same at all " in told(lens.checked)
    assert next(iter(lens.unchecked().read(["Tom"]).values())).matrix.shape == (1, 1536)
    assert lens.model.generate([[0, 5]], 2)
    nothing = {
        n: torch.zeros_like(t) for n, t in load_file(sae / "sae_weights.safetensors").items()
    }
    save_file(nothing, sae / "sae_weights.safetensors")
    empty = fl.load("mini", str(sae))
    assert "of the variance of mini" in told(empty.checked)
    assert next(iter(empty.unchecked().read(["Tom"]).values())).matrix.nnz == 0


def test_folders_that_cannot_be_read(
    model: Path, sae: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(path: Path) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", closed)
        expected = f"model folder {model} cannot be read: Permission denied"
        assert told(lambda: load_model(str(model))) == expected
    loaded = load_model(str(model))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", closed)
        from faultlens.models.sae_folder import sae_folders

        expected = f"folder {sae.parent} cannot be read: Permission denied"
        assert told(lambda: sae_folders(sae.parent)) == expected
    assert loaded.n_layers == 6


def test_files_that_cannot_be_read(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from faultlens.models.checkpoints import digest

    def closed(stamps: Any, named: bool) -> str:
        raise PermissionError(13, "Permission denied", stamps[0][0])

    monkeypatch.setattr(digest, "_digest", closed)
    assert told(lambda: load_model(str(model))).endswith("cannot be read: Permission denied")


@pytest.mark.parametrize("device", ["", "cuda:99", "x" * 300, "meta", "\0"])
def test_devices_that_are_not_there(device: str) -> None:
    assert told(lambda: load_model("mini", device=device)).startswith("device ")
