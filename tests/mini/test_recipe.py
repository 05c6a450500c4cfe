"""The recipe: its text is a fixed stream, and training that was cut off goes on unchanged."""

from __future__ import annotations

import hashlib
from itertools import islice
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from faultlens.corpus.world import NAMES, unseen_together
from faultlens.mini import LANGUAGE_MODEL
from faultlens.mini.recipe import language_model
from faultlens.mini.recipe.language_model import TrainingPlan, train_language_model
from faultlens.mini.recipe.stories import story
from faultlens.mini.recipe.text import document, documents

SHIPPED_TEXT = "ce9cf88eaf13246c3b2d558dcb85d5adad947dfa30c5f1a088ccb256007678bc"


def test_the_text_is_the_one_that_the_shipped_weights_were_trained_on() -> None:
    """A change to any generator would make the shipped files something the recipe does not make."""
    text = "\0".join(islice(documents("train"), 2000))
    assert hashlib.sha256(text.encode()).hexdigest() == SHIPPED_TEXT


def test_documents_are_known_by_number_and_splits_differ() -> None:
    assert list(islice(documents("train", start=7), 3)) == [document("train", i) for i in (7, 8, 9)]
    held_out = set(islice(documents("held-out"), 500))
    assert len(held_out & set(islice(documents("train"), 5000))) <= 5


def test_no_story_brings_an_unseen_pair_together() -> None:
    import random

    names = set(NAMES)
    for i in range(500):
        words = story(random.Random(i)).replace("'s", "").translate(str.maketrans("", "", '.,!?"'))
        people = sorted(names & set(words.split()))
        assert 2 <= len(people) <= 3
        for first in people:
            assert not any(unseen_together(first, second) for second in people if second != first)


def test_training_that_was_cut_off_gives_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(LANGUAGE_MODEL)
    plan = TrainingPlan(tokens=6 * 2 * 256, rows_per_step=2, checkpoint_every=2)
    assert plan.steps == 6
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    train_language_model(tokenizer, plan, tmp_path / "whole", tmp_path / "whole" / "model")

    clip, calls = torch.nn.utils.clip_grad_norm_, []

    def interrupted(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return clip(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(language_model.torch.nn.utils, "clip_grad_norm_", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_language_model(tokenizer, plan, tmp_path / "cut", tmp_path / "cut" / "model")
    assert not (tmp_path / "cut" / "model").exists()
    train_language_model(tokenizer, plan, tmp_path / "cut", tmp_path / "cut" / "model")
    assert len(calls) == 4 + 4, "it goes on from step 2, not from the start"

    whole, cut = (
        load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "cut")
    )
    assert whole.keys() == cut.keys()
    assert all(torch.equal(whole[key], cut[key]) for key in whole)


def test_a_trained_dictionary_is_shipped_in_float16(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from faultlens.mini.recipe import dictionaries
    from faultlens.models.load import load_model
    from faultlens.training.config import TrainConfig

    small = TrainConfig(layers=(2,), width=("1x",), tokens=4096, held_out=300)
    monkeypatch.setattr(dictionaries, "SETS", {"residuals": small})
    monkeypatch.setattr(dictionaries, "DOCUMENTS", 60)
    model = load_model("mini")
    dictionaries.train_sets(model, tmp_path / "build", tmp_path / "shipped")
    shipped = tmp_path / "shipped" / "blocks.2.hook_resid_pre"
    assert sorted(path.name for path in shipped.iterdir()) == [
        "cfg.json",
        "sae_weights.safetensors",
    ]
    assert all(
        t.dtype == torch.float16 for t in load_file(shipped / "sae_weights.safetensors").values()
    )
    before = (shipped / "sae_weights.safetensors").stat().st_mtime_ns
    dictionaries.train_sets(model, tmp_path / "other", tmp_path / "shipped")
    assert (shipped / "sae_weights.safetensors").stat().st_mtime_ns == before
