"""What a model runs in and how much memory that takes, known before a weight is read."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import faultlens as fl
from faultlens.cli.lens import load_lens
from faultlens.errors import UserError
from faultlens.mini import LANGUAGE_MODEL
from faultlens.models import load
from faultlens.models.checkpoints.precision import dtype_in_force, stored_dtype, weights_size
from faultlens.models.checkpoints.source import find_source
from faultlens.models.device_memory import check_fits
from faultlens.models.load import in_force, load_model, memory_needed
from faultlens.models.model_config import ModelConfig
from faultlens.progress import Tick


@pytest.mark.parametrize(
    ("asked", "stored", "device", "expected"),
    [
        ("auto", "bfloat16", "cuda", "bfloat16"),
        ("auto", "bfloat16", "cuda:1", "bfloat16"),
        ("auto", "bfloat16", "mps", "bfloat16"),
        ("auto", "bfloat16", "cpu", "float32"),
        ("auto", "float16", "cuda", "float32"),
        ("auto", "float32", "cuda", "float32"),
        ("auto", None, "cuda", "float32"),
        ("float32", "bfloat16", "cuda", "float32"),
        ("bfloat16", "float32", "cpu", "bfloat16"),
    ],
)
def test_bfloat16_is_the_default_only_on_a_gpu_and_only_of_weights_that_are(
    asked: str, stored: str | None, device: str, expected: str
) -> None:
    assert dtype_in_force(asked, stored, device) == expected


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`mini` in bfloat16."""
    folder = Path(shutil.copytree(LANGUAGE_MODEL, tmp_path / "model"))
    tensors = load_file(folder / "model.safetensors")
    half = {name: tensor.bfloat16() for name, tensor in tensors.items()}
    save_file(half, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dtype": "bfloat16"}))
    return folder


def test_the_format_in_force_follows_config_json_and_the_device(folder: Path) -> None:
    half, whole = find_source(str(folder)), find_source("mini")
    assert (stored_dtype(half), stored_dtype(whole)) != ("bfloat16", "bfloat16")
    assert stored_dtype(half) == "bfloat16"
    assert in_force(half, "auto", torch.device("cuda")) == "bfloat16"
    assert in_force(half, "auto", torch.device("cpu")) == "float32"
    assert in_force(whole, "auto", torch.device("cuda")) == "float32"
    assert load_model(str(folder)).dtype == torch.float32, "on the processor"
    assert load_model(str(folder), dtype="bfloat16").dtype == torch.bfloat16
    old = json.loads((folder / "config.json").read_text())
    del old["dtype"]
    (folder / "config.json").write_text(json.dumps({**old, "text_config": {"torch_dtype": "x"}}))
    assert stored_dtype(half) == "x", "an older name, of a multimodal model's half"


def test_the_memory_needed_is_that_of_the_parameters_that_are_loaded(folder: Path) -> None:
    source, network = find_source(str(folder)), load_model(str(folder)).network
    tied = sum(parameter.numel() for parameter in network.parameters())
    assert weights_size(source, "float32") == 4 * tied
    assert weights_size(source, "bfloat16") == 2 * tied
    assert memory_needed(fl.LensConfig(model=str(folder))) == 4 * tied
    assert memory_needed(ModelConfig(str(folder), dtype="float16")) == 2 * tied
    broken = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(b"\xff" * 8 + broken[8:])
    assert weights_size(source, "float32") is None, "whoever loads it says what is wrong"


def test_of_a_model_that_is_not_there_the_name_tells() -> None:
    unknown = replace(find_source("nobody/a-model-7b"), folder=None)
    assert weights_size(unknown, "float32") == 28_000_000_000
    assert weights_size(unknown, "bfloat16") == 14_000_000_000
    assert weights_size(replace(unknown, name="nobody/a-model"), "float32") is None


def test_what_cannot_fit_is_refused_before_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = weights_size(find_source(str(folder)), "float32")
    assert needed is not None

    def read(*arguments: object) -> None:
        raise AssertionError("the weights were read")

    monkeypatch.setattr(load, "load_weights", read)
    monkeypatch.setattr(load, "free_on", lambda device: needed - 1)
    with pytest.raises(UserError) as refused:
        load_model(str(folder))
    said = f"{needed / 1e6:.0f} MB"
    assert str(refused.value) == (
        f"model {folder} takes {said} for its weights in float32, and cpu has {said} free: "
        "expected room for all of them; choose a smaller model or --dtype bfloat16, or a device "
        "with more memory"
    )
    monkeypatch.setattr(load, "free_on", lambda device: needed)
    with pytest.raises(AssertionError, match="the weights were read"):
        load_model(str(folder))


def test_memory_that_is_not_known_refuses_nothing() -> None:
    check_fits("a", "float32", 10**15, "meta", None)
    with pytest.raises(UserError) as refused:
        check_fits("a", "bfloat16", 14_500_000_000, "cuda:0", 8_000_000_000)
    assert str(refused.value) == (
        "model a takes 14.5 GB for its weights in bfloat16, and cuda:0 has 8.0 GB free: expected "
        "room for all of them; choose a smaller model, or a device with more memory"
    )


def test_threads_are_pytorchs() -> None:
    before = torch.get_num_threads()
    try:
        fl.load("mini", sae="none", threads=1)
        assert torch.get_num_threads() == 1
        fl.load("mini", sae="none", threads=2)
        assert torch.get_num_threads() == 2
        fl.load("mini", sae="none")
        assert torch.get_num_threads() == 2, "left as it was"
    finally:
        torch.set_num_threads(before)
    for threads in (0, 2.5, 1025):
        with pytest.raises(UserError, match=rf"^threads {threads}: expected a whole number"):
            fl.LensConfig(threads=threads)  # type: ignore[arg-type]


def test_the_memory_is_said_before_the_model_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    class Stages:
        def start(self, stage: str, total: int) -> Tick:
            said.append(stage)
            return lambda done: None

    def loaded(*, config: fl.LensConfig) -> None:
        said.append("loaded")

    monkeypatch.setattr(fl, "load", loaded)
    load_lens(fl.LensConfig(), Stages())
    needed = weights_size(find_source("mini"), "float32")
    assert needed is not None
    assert said == [f"Loading the model ({needed / 1e6:.0f} MB)", "loaded"]
