"""LoRA adapters: merged as PEFT merges them, only when asked for, and part of the digest."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from torch.testing import assert_close

from faultlens.errors import UserError
from faultlens.models.load import load_model
from tests.models.families import save_family
from tests.models.referees import quietly

pytestmark = pytest.mark.usefixtures("one_thread")
IDS = torch.tensor([[0, 5, 9, 33, 7, 12, 40, 41, 2]])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_family("llama", tmp_path_factory.mktemp("base"))


def trained(base: Path, folder: Path, **changes: Any) -> Path:
    """An adapter with random weights, saved by PEFT itself."""
    network = load_model(str(base), adapter="none").network
    config = peft.LoraConfig(
        **{"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "down_proj"], **changes}
    )
    torch.manual_seed(1)
    with quietly():
        tuned = peft.get_peft_model(network, config)
    for name, parameter in tuned.named_parameters():
        if "lora" in name:
            scale = 0.3 if "magnitude" not in name else 1.0
            parameter.data = scale * torch.randn_like(parameter) + (scale == 1.0) * parameter.data
    with quietly():
        tuned.save_pretrained(str(folder))
    return folder


def by_peft(base: Path, folder: Path) -> torch.Tensor:
    """The logits of PEFT's own model, which adds the change in every pass and merges nothing."""
    network = load_model(str(base), adapter="none").network
    with quietly():
        tuned = peft.PeftModel.from_pretrained(network, str(folder)).eval()
    with torch.no_grad():
        logits: torch.Tensor = tuned(IDS, use_cache=False).logits
    return logits


@pytest.mark.parametrize(
    "changes", [{}, {"use_dora": True}, {"use_rslora": True, "r": 8}], ids=["lora", "dora", "rs"]
)
def test_the_merged_model_is_pefts(base: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    adapter = trained(base, tmp_path / "adapter", **changes)
    model = load_model(str(base), adapter=str(adapter))
    assert_close(model.logits(IDS), by_peft(base, adapter), rtol=1e-5, atol=1e-5)
    untuned = load_model(str(base))
    assert (model.logits(IDS) - untuned.logits(IDS)).abs().max() > 0.1
    assert model.digest != untuned.digest
    assert (model.tuning, untuned.tuning) == (str(adapter), None)


def test_the_digest_covers_the_adapters_weights(base: Path, tmp_path: Path) -> None:
    adapter = trained(base, tmp_path / "adapter")
    first = load_model(str(base), adapter=str(adapter)).digest
    assert load_model(str(base), adapter=str(adapter)).digest == first
    again = trained(base, tmp_path / "other", lora_alpha=16)
    assert load_model(str(base), adapter=str(again)).digest != first


def test_merging_is_done_in_float32(base: Path, tmp_path: Path) -> None:
    """In bfloat16 the sum of a weight and its change would be rounded on the way."""
    adapter = trained(base, tmp_path / "adapter")
    half = load_model(str(base), adapter=str(adapter), dtype="bfloat16")
    whole = load_model(str(base), adapter=str(adapter))
    for name, parameter in whole.network.named_parameters():
        there = dict(half.network.named_parameters())[name]
        assert there.dtype == torch.bfloat16
        assert torch.equal(there, parameter.to(torch.bfloat16))


@pytest.fixture
def beside(base: Path, tmp_path: Path) -> Path:
    """A folder with base weights and an adapter side by side."""
    folder = Path(shutil.copytree(base, tmp_path / "both"))
    adapter = trained(base, tmp_path / "adapter")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(adapter / name, folder / name)
    return folder


def test_an_adapter_beside_the_weights_is_never_applied_unasked(beside: Path) -> None:
    name = str(beside)
    with pytest.raises(
        UserError,
        match=re.escape(
            f"model {name!r} has a PEFT adapter beside its weights (adapter_config.json): give "
            f"--adapter {name} to apply it, or --adapter none to leave it out"
        ),
    ):
        load_model(name)


@pytest.mark.parametrize("installed", [True, False])
def test_what_is_installed_decides_nothing(
    base: Path, beside: Path, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    if not installed:
        hide_peft(monkeypatch)
    bare = load_model(str(beside), adapter="none")
    plain = load_model(str(base))
    assert torch.equal(bare.logits(IDS), plain.logits(IDS))
    assert bare.digest == plain.digest
    if installed:
        both = load_model(str(beside), adapter=str(beside))
        assert_close(both.logits(IDS), by_peft(base, beside), rtol=1e-5, atol=1e-5)
        assert both.digest != plain.digest
        return
    with pytest.raises(
        UserError,
        match="adapters are merged by PEFT, which is not installed: pip install "
        r"'faultlens\[peft\]'",
    ):
        load_model(str(beside), adapter=str(beside))


def hide_peft(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if PEFT were not installed, for transformers and for this package."""
    import transformers.integrations.peft
    import transformers.models.auto.auto_factory

    for module in (transformers.integrations.peft, transformers.models.auto.auto_factory):
        monkeypatch.setattr(module, "is_peft_available", lambda: False)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "peft" else find(name)
    )


def test_tied_embeddings_are_not_merged_into(tmp_path: Path) -> None:
    base = save_family("gpt2", tmp_path / "base")
    adapter = trained(base, tmp_path / "adapter", target_modules=["wte"])
    with pytest.raises(
        UserError,
        match=r"changes base_model\.model\.transformer\.wte.*, but the model's embedding and "
        "unembedding are one tensor, into which the change cannot be merged: train it without the "
        "embedding, or on a model with tie_word_embeddings false",
    ):
        load_model(str(base), adapter=str(adapter))


def test_untied_embeddings_are_merged_into(base: Path, tmp_path: Path) -> None:
    adapter = trained(base, tmp_path / "adapter", target_modules=["embed_tokens", "lm_head"])
    model = load_model(str(base), adapter=str(adapter))
    assert_close(model.logits(IDS), by_peft(base, adapter), rtol=1e-5, atol=1e-5)


def rewritten(folder: Path, **changes: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda a: shutil.rmtree(a), "no adapter in .*: expected a folder that PEFT saved, with "),
        (lambda a: rewritten(a, peft_type="IA3"), "peft_type = 'IA3', expected 'LORA' "),
        (lambda a: (a / "adapter_model.safetensors").unlink(), "no file .*: expected the weights"),
        (lambda a: (a / "adapter_config.json").write_text("[" * 10**5), "cannot be read as JSON"),
        (lambda a: (a / "adapter_config.json").write_text("[]"), "holds a list, expected a JSON"),
        (lambda a: (a / "adapter_model.safetensors").write_bytes(b"x"), "cannot be (read|merged)"),
        (lambda a: rewritten(a, target_modules=["nowhere"]), "cannot be merged into the model: "),
        (lambda a: rewritten(a, target_modules=["q_proj"]), "has the tensor .*down_proj.* against"),
        (lambda a: rewritten(a, r=2), "cannot be merged into the model: "),
    ],
)  # fmt: skip
def test_a_damaged_adapter_is_one_sentence(
    base: Path, tmp_path: Path, damage: Any, message: str
) -> None:
    adapter = trained(base, tmp_path / "adapter")
    damage(adapter)
    with pytest.raises(UserError, match=message) as told:
        load_model(str(base), adapter=str(adapter))
    assert "\n" not in str(told.value)


def test_an_adapter_given_as_the_model_says_what_to_give(base: Path, tmp_path: Path) -> None:
    adapter = trained(base, tmp_path / "adapter")
    with pytest.raises(
        UserError, match=r"holds a PEFT adapter and no model: give the model that it was trained on"
    ):
        load_model(str(adapter))


def test_an_adapter_of_another_model_is_refused(base: Path, tmp_path: Path) -> None:
    other = trained(save_family("gpt2", tmp_path / "gpt2"), tmp_path / "a", target_modules=["c_fc"])
    with pytest.raises(UserError, match="cannot be merged into the model"):
        load_model(str(base), adapter=str(other))
