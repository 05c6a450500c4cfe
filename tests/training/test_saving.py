"""Saved folders: SAELens and this package read the same dictionary out of them, the learnt one."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from planted import FIRING, WRITES, directions, tokens, trained

from faultlens.models.sae_folder import load_sae_folder
from faultlens.training.config import SparsityConfig
from faultlens.training.saving import save_dictionary
from faultlens.training.trainer import Trainer

KINDS = ["topk", "batchtopk", "matryoshka_batchtopk", "jumprelu", "standard", "gated"]


def saved(kind: str, folder: Path) -> Trainer:
    trainer = trained(kind, 30, SparsityConfig(k=(FIRING,)))
    trainer.sae.cfg.metadata.hook_name = trainer.plan.site.name
    trainer.sae.cfg.metadata.prepend_bos = True
    if trainer.plan.is_transcoder:
        trainer.sae.cfg.metadata.hook_name_out = trainer.plan.target.name
    save_dictionary(trainer, folder)
    return trainer


def read_by_saelens(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sae_lens.saes import SAE, JumpReLUSkipTranscoder, JumpReLUTranscoder

        names = {
            "jumprelu_transcoder": JumpReLUTranscoder,
            "jumprelu_skip_transcoder": JumpReLUSkipTranscoder,
        }
        config = json.loads((folder / "cfg.json").read_text())
        return names.get(config["architecture"], SAE).load_from_disk(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_saelens_and_faultlens_read_what_was_learnt(kind: str, tmp_path: Path) -> None:
    trainer = saved(kind, tmp_path)
    x = tokens(200, 99) @ directions()
    ours = load_sae_folder(tmp_path, "planted", torch.device("cpu"))
    theirs = read_by_saelens(tmp_path)
    with torch.no_grad():
        activations = ours.encode(x)
        assert (activations > 0).any()
        torch.testing.assert_close(activations, theirs.encode(x), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(ours.reconstruct(x), theirs(x), rtol=1e-5, atol=1e-5)
        scaled = x * trainer.scale.factor
        if kind in ("topk", "standard", "gated", "jumprelu"):  # the others select over the batch
            learnt = trainer.sae(scaled) / trainer.scale.factor
            torch.testing.assert_close(ours.reconstruct(x), learnt, rtol=1e-4, atol=1e-4)
    assert ours.site == WRITES
    assert ours.convention.prepend_bos
    assert "l0" not in json.loads((tmp_path / "cfg.json").read_text())["metadata"]


@pytest.mark.parametrize("kind", ["batchtopk", "matryoshka_batchtopk", "transcoder"])
def test_a_saved_threshold_keeps_k_features_firing(kind: str, tmp_path: Path) -> None:
    """SAELens's own, followed from 0, lets many more fire after a short training."""
    trainer = saved(kind, tmp_path)
    ours = load_sae_folder(tmp_path, "planted", torch.device("cpu"))
    x = tokens(2000, 98) @ directions()
    firing = float((ours.encode(x) > 0).sum(dim=1).float().mean())
    assert firing == pytest.approx(FIRING, rel=0.2)
    assert trainer.threshold is not None
    if kind == "matryoshka_batchtopk":
        assert float(trainer.sae.topk_threshold) < 0.5 * trainer.threshold  # SAELens's own


@pytest.mark.parametrize("kind", ["transcoder", "skip_transcoder"])
def test_transcoders_are_read_alike(kind: str, tmp_path: Path) -> None:
    trainer = saved(kind, tmp_path)
    present = tokens(200, 97)
    x, target = present @ directions(0), present @ directions(1)
    ours = load_sae_folder(tmp_path, "planted", torch.device("cpu"))
    theirs = read_by_saelens(tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(ours.encode(x), theirs.encode(x), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(ours.reconstruct(x, target), theirs(x), rtol=1e-5, atol=1e-5)
    assert ours.target == WRITES
    assert (ours.W_skip is not None) == (kind == "skip_transcoder")
    if trainer.skip is not None:
        assert float(trainer.skip.detach().abs().max()) > 0


def test_what_is_written_twice_is_the_same_bytes(tmp_path: Path) -> None:
    """Saving copies what it folds: learning could go on."""
    trainer = saved("topk", tmp_path)
    before = (tmp_path / "sae_weights.safetensors").read_bytes()
    save_dictionary(trainer, tmp_path)
    assert (tmp_path / "sae_weights.safetensors").read_bytes() == before
