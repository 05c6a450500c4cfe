"""Whole runs on mini: what lies in the folder, what happens when they are interrupted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from elsewhere import Elsewhere

import faultlens as fl
from faultlens.errors import UserError
from faultlens.models.fit import measure_fit
from faultlens.models.load import load_configured
from faultlens.models.model import Model
from faultlens.models.model_config import ModelConfig
from faultlens.models.sae_folder import load_sae_folder
from faultlens.training import learning
from faultlens.training.config import OptimiserConfig, SparsityConfig, TrainConfig
from faultlens.training.run import train_dictionaries
from faultlens.training.spread_harvest import Readers
from faultlens.training.stream import split_corpus
from faultlens.training.trainer import Trainer

CONFIG = TrainConfig(
    layers=(2,),
    sites=("resid_pre", "mlp_out"),
    width=("1x",),
    tokens=4096,
    held_out=300,
    buffer_mb=1,
    sparsity=SparsityConfig(k=(8,)),
    optimiser=OptimiserConfig(batch_tokens=256, encoder_precision="float32"),
)


@pytest.fixture(scope="module")
def model() -> Model:
    return fl.load("mini", layers=[3]).model


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """The built-in corpus, with the task's prompts: a few thousand tokens."""
    corpus = list(fl.seven_categories().texts)
    return corpus + [prompt.text for prompt in fl.tasks.mini_ioi(n=150).prompts]


def weights(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.safetensors"))
    }


def test_a_run_makes_a_set_that_loads(model: Model, texts: list[str], tmp_path: Path) -> None:
    run = train_dictionaries(model, texts, replace(CONFIG, tokens=40_000), tmp_path / "set")
    names = ["blocks.2.hook_mlp_out", "blocks.2.hook_resid_pre"]
    assert sorted(p.name for p in (tmp_path / "set").iterdir() if p.is_dir()) == names
    lens = fl.load("mini", sae=str(tmp_path / "set"), sites=["all"])
    assert sorted(d.site.name for d in lens.dictionaries) == names
    for made in run.dictionaries:
        card = json.loads((made.folder / "card.json").read_text())
        dictionary = load_sae_folder(made.folder, "set", torch.device("cpu"))
        _, held_out = split_corpus(model, texts, CONFIG.context, 300, 0, lambda done: None)
        again = measure_fit(model, dictionary, held_out, 128)
        assert card["held_out"] == json.loads(json.dumps(again.to_dict()))
        assert again.fvu < 1
        assert again.l0 == pytest.approx(8, abs=1e-6)
        assert card["made"]["corpus_tokens"] > 1000
        assert card["curve"][-1]["tokens"] >= 40_000
        assert card["curve"][-1]["fvu"] < 0.9 < card["curve"][0]["fvu"]
        page = (made.folder / "CARD.md").read_text()
        assert f"| variance unexplained (FVU) | {again.fvu:.4f} |" in page
    assert not list((tmp_path / "set").glob("*.pt"))


def test_workers_elsewhere_harvest_the_same_weights(
    model: Model, texts: list[str], tmp_path: Path
) -> None:
    train_dictionaries(model, texts, CONFIG, tmp_path / "alone")
    spread = Readers(Elsewhere(), partial(load_configured, ModelConfig("mini")))
    train_dictionaries(model, texts, CONFIG, tmp_path / "many", readers=spread)
    assert weights(tmp_path / "many") == weights(tmp_path / "alone")
    other = replace(spread, open_model=lambda: replace(model, digest="0123456789abcdef"))
    with pytest.raises(UserError) as refused:
        train_dictionaries(model, texts, CONFIG, tmp_path / "other", readers=other)
    assert str(refused.value) == (
        f"model mini is another one on a worker (0123456789ab, not {model.digest[:12]}): expected "
        "the same files on every machine"
    )


class _InterruptedError(Exception):
    pass


def test_an_interrupted_run_goes_on_to_the_same_weights(
    model: Model, texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(CONFIG, kind=("topk", "batchtopk", "standard"), sites=("resid_pre",))
    train_dictionaries(model, texts, config, tmp_path / "whole")
    monkeypatch.setattr(learning, "KEPT_EVERY", 0.0)
    block = learning.Harvest.block
    read: list[int] = []

    def dies(self: learning.Harvest, stream: object, start: int, count: int) -> object:
        read.append(start)
        if len(read) == 4:
            raise _InterruptedError
        return block(self, stream, start, count)  # type: ignore[arg-type]

    monkeypatch.setattr(learning.Harvest, "block", dies)
    with pytest.raises(_InterruptedError):
        train_dictionaries(model, texts, config, tmp_path / "cut")
    assert not weights(tmp_path / "cut")
    train_dictionaries(model, texts, config, tmp_path / "cut")
    assert read[4:6] == [0, read[3]]  # the scale's block, then the one that was not learnt from
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
    assert len(weights(tmp_path / "whole")) == 3


def test_one_pass_feeds_all(
    model: Model, texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six dictionaries cost as many tokens of the model as one."""
    read: list[int] = []
    whole: Callable[..., dict[object, torch.Tensor]] = Model.read

    def counted(self: Model, ids: torch.Tensor, *rest: object) -> dict[object, torch.Tensor]:
        read.append(ids.numel())
        return whole(self, ids, *rest)

    monkeypatch.setattr(Model, "read", counted)
    monkeypatch.setattr("faultlens.training.run.measure_fit", lambda *_: None)
    small = replace(CONFIG, tokens=1024, buffer_mb=4)
    train_dictionaries(model, texts, replace(small, kind=("batchtopk",)), tmp_path / "one")
    alone = sum(read)
    read.clear()
    many = replace(small, width=("1x", "2x"), kind=("topk", "batchtopk"))
    run = train_dictionaries(model, texts, many, tmp_path / "eight")
    assert len(run.dictionaries) == 8
    assert sum(read) == alone


def test_seeds_are_compared_and_a_twin_is_measured(
    model: Model, texts: list[str], tmp_path: Path
) -> None:
    config = replace(CONFIG, seeds=(0, 1), sites=("resid_pre",), random_decoder_twin=True)
    run = train_dictionaries(model, texts, config, tmp_path / "seeds")
    folders = [made.plan.folder for made in run.dictionaries]
    site = "blocks.2.hook_resid_pre"
    assert folders == [f"seed-0/{site}", f"seed-0.random-decoder/{site}",
                       f"seed-1/{site}", f"seed-1.random-decoder/{site}"]  # fmt: skip
    first, twin = run.dictionaries[0].card, run.dictionaries[1].card
    assert [s.against.endswith(f"seed-1/{site}") for s in first.stability] == [True]
    assert first.stability[0].features == 192
    assert first.twin == twin.fit
    assert first.twin is not None
    assert first.fit is not None
    assert first.fit.fvu < first.twin.fvu


def test_bad_input_is_one_sentence(model: Model, texts: list[str], tmp_path: Path) -> None:
    def refused(out: Path, **changes: object) -> str:
        with pytest.raises(UserError) as error:
            train_dictionaries(model, texts, replace(CONFIG, **changes), out)  # type: ignore[arg-type]
        return str(error.value)

    out = tmp_path / "run"
    assert refused(out, layers=(9,)) == (
        "model mini has no site blocks.9.hook_resid_pre: its layers are 0 to 5"
    )
    assert refused(out, sparsity=SparsityConfig(k=(500,))) == (
        "k = 500 is above the 192 features of a topk: expected at most the width; give a smaller "
        "--k or a larger --width"
    )
    assert "fewer than the 192000 features" in refused(out, width=("1000x",))
    assert not out.exists()
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("mine")
    assert refused(tmp_path / "thesis") == (
        f"{tmp_path / 'thesis'} holds files that are no training run: expected a new folder; name "
        "another one"
    )
    train_dictionaries(model, texts, replace(CONFIG, tokens=256), out)
    assert refused(out) == (
        f"{out} holds a finished training run: nothing is left to do; name another folder to "
        "train again"
    )


def test_a_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(
    model: Model, texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "KEPT_EVERY", 0.0)
    step = Trainer.step

    def breaks(self: Trainer, values: torch.Tensor, targets: torch.Tensor) -> None:
        step(self, values * (float("nan") if self.tokens >= 2048 else 1.0), targets)

    monkeypatch.setattr(Trainer, "step", breaks)
    with pytest.raises(UserError) as error:
        train_dictionaries(model, texts, CONFIG, tmp_path / "run")
    assert str(error.value) == (
        "the loss of blocks.2.hook_resid_pre became nan at token 2048: training stopped, and the "
        "last checkpoint is kept; expected a smaller --learning-rate than 0.001"
    )
    kept = torch.load(tmp_path / "run" / "unfinished.pt", weights_only=True)
    assert all(torch.isfinite(state["sae"]["W_dec"]).all() for state in kept["trainers"])


def test_another_run_s_folder_is_refused(
    model: Model, texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "KEPT_EVERY", 0.0)

    def dies(*_: object) -> None:
        raise _InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr("faultlens.training.run.save_dictionary", dies)
        with pytest.raises(_InterruptedError):
            train_dictionaries(model, texts, CONFIG, tmp_path / "run")
    with pytest.raises(UserError) as error:
        train_dictionaries(model, texts[:-1], replace(CONFIG, tokens=512), tmp_path / "run")
    assert str(error.value) == (
        f"{tmp_path / 'run'} holds an unfinished training run with another corpus_sha256, "
        "corpus_texts, corpus_tokens, configuration: give the same command to go on, or name "
        "another folder"
    )
