"""A model larger than its device gives the numbers of the whole one, whatever is asked of it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import peft
import pytest
import torch

import faultlens as fl
from faultlens.errors import UserError
from faultlens.models import load as loading
from faultlens.models.load import load_model
from faultlens.models.model import Model
from faultlens.models.restart import Restart
from faultlens.models.sites import Site
from tests.models.referees import quietly

TEXTS = ["Mary gave the keys to Tom.", "John gave the book to the landlord."]
FREE = 11_000_000  # bytes: mini has room for its embeddings and some of its six blocks


@pytest.fixture(scope="module")
def whole() -> Model:
    return load_model("mini")


@pytest.fixture(scope="module")
def part() -> Model:
    """The same model on a device with little memory, which the processor stands for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "free_on", lambda device: FREE)
        patch.setattr(loading, "_check_memory", lambda *given: None)
        return load_model("mini", device_map="auto")


def away(model: Model) -> list[bool]:
    """Which blocks have a matrix that is not on the device."""
    blocks = model.adapter.blocks(model.network)
    return [any(p.is_meta for p in block.parameters()) for block in blocks]


def test_the_last_blocks_stay_behind(part: Model, whole: Model) -> None:
    blocks = away(part)
    assert blocks == sorted(blocks) and 0 < sum(blocks) < len(blocks), blocks
    assert not any(away(whole))
    behind = {name for name, p in part.network.named_parameters() if p.is_meta}
    assert behind and all(".attn.c_" in name or ".mlp.c_" in name for name in behind), behind


def test_reading_edits_and_restarts_are_those_of_the_whole(part: Model, whole: Model) -> None:
    ids = whole.pad([whole.ids(text) for text in TEXTS])
    sites = [Site(layer, point) for layer in (1, 4, 5)
             for point in ("resid_pre", "attn_out", "mlp_out", "z")]  # fmt: skip
    one, other = whole.read(ids, sites), part.read(ids, sites)
    for site in sites:
        assert torch.equal(one[site], other[site]), site
    edits = {Site(5, "resid_pre"): lambda x: 2 * x, Site(4, "mlp_out"): lambda x: 0 * x}
    assert torch.equal(whole.logits(ids, edits=edits), part.logits(ids, edits=edits))
    for layer in (2, 5):
        bias = whole.adapter.value_bias(whole.network, layer)
        found = part.adapter.value_bias(part.network, layer)
        assert bias is not None and found is not None and torch.equal(bias, found)


def test_a_pass_is_taken_up_where_blocks_stay_behind(part: Model, whole: Model) -> None:
    ids = whole.pad([whole.ids(text) for text in TEXTS])
    assert part.skips and away(part)[4:] == [True, True]
    for layer in (2, 5):
        entry = Site(layer, "resid_pre")
        restart = Restart(layer, part.read(ids, [entry])[entry])
        assert torch.equal(part.logits(ids, restart=restart), whole.logits(ids))
    rows = [whole.ids(text) for text in TEXTS]
    assert part.generate(rows, 4) == whole.generate(rows, 4)


def test_an_adapter_is_merged_before_anything_stays_behind(
    whole: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = peft.LoraConfig(r=4, target_modules=["c_attn", "c_fc"], fan_in_fan_out=True)
    torch.manual_seed(1)
    with quietly():
        tuned = peft.get_peft_model(load_model("mini", adapter="none").network, config)
        for name, parameter in tuned.named_parameters():
            if "lora" in name:
                parameter.data = 0.1 * torch.randn_like(parameter)
        tuned.save_pretrained(str(tmp_path))
    one = load_model("mini", adapter=str(tmp_path))
    monkeypatch.setattr(loading, "_check_memory", lambda *given: None)
    monkeypatch.setattr(loading, "free_on", lambda device: FREE)
    other = load_model("mini", adapter=str(tmp_path), device_map="auto")
    assert any(away(other)) and not any(away(one)) and one.digest == other.digest
    ids = whole.pad([whole.ids(text) for text in TEXTS])
    assert torch.equal(other.logits(ids), one.logits(ids))
    assert (one.logits(ids) - whole.logits(ids)).abs().max() > 0.1, "the adapter does something"
    entry = Site(4, "resid_pre")
    restart = Restart(4, other.read(ids, [entry])[entry])
    edits = {Site(4, "attn_out"): lambda x: 0 * x}
    assert torch.equal(
        other.logits(ids, restart=restart, edits=edits), one.logits(ids, edits=edits)
    )


def test_an_audit_is_that_of_the_whole(part: Model, whole: Model) -> None:
    lens = fl.load("mini", layers=[4])
    task = fl.tasks.mini_ioi(n=40, seed=0)
    options = {"permutations": 99, "baselines": False, "test_classes": 1, "test_attributed": 0,
               "fit_check": False}  # fmt: skip
    one, other = (
        fl.audit(replace(lens, model=model), task, **options)  # type: ignore[arg-type]
        for model in (whole, part)
    )
    assert one == other


def test_what_cannot_be_placed_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_check_memory", lambda *given: None)
    monkeypatch.setattr(loading, "free_on", lambda device: 1_000_000)
    with pytest.raises(UserError) as refused:
        load_model("mini", device_map="auto")
    said = str(refused.value)
    assert said.startswith("model mini needs ") and said.endswith(
        " on cpu for what is not in its blocks and one block, and 1 MB can be taken: choose a "
        "smaller model, or a device with more memory"
    )
    monkeypatch.setitem(sys.modules, "accelerate", None)
    monkeypatch.setitem(sys.modules, "accelerate.hooks", None)
    with pytest.raises(UserError) as missing:
        load_model("mini", device_map="auto")
    assert str(missing.value) == (
        "--device-map auto needs the library accelerate: pip install 'faultlens[offload]'"
    )
