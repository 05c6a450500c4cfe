"""The check of a model against its own forward pass: what is right passes, mistakes are found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from faultlens.cli.doctor import conformance_lines
from faultlens.models import conformance as checking
from faultlens.models.conformance import Conformance, conformance
from faultlens.models.families import FAMILIES
from faultlens.models.families.decoder import Decoder, Taps, in_turn
from faultlens.models.families.llama import taps
from faultlens.models.model import Model
from faultlens.models.start_token import StartToken
from tests.models.tiny_networks import model_of

pytestmark = pytest.mark.usefixtures("one_thread")
FAMILIES_CHECKED = (
    "llama", "granite", "gpt_oss", "falcon", "qwen3_5_text", "gemma4_text", "olmo2", "mamba",
    "llama4_text", "cohere",
)  # fmt: skip


@pytest.fixture(autouse=True)
def start(monkeypatch: pytest.MonkeyPatch) -> None:
    """These networks have no tokenizer."""
    nothing = StartToken((), "nothing", "these networks have no tokenizer")
    monkeypatch.setattr(checking, "start_of", lambda model: nothing)


@pytest.mark.parametrize("family", FAMILIES_CHECKED)
def test_a_model_that_is_read_rightly_passes(family: str) -> None:
    found = conformance(model_of(family))
    assert found.holds, [check for check in found.checks if not check.holds]
    assert found.by_structure == (family not in FAMILIES)
    assert found.to_dict()["holds"]
    assert len(found.checks) == 8


def failing(found: Conformance) -> set[str]:
    return {check.what for check in found.checks if not check.holds}


def with_taps(model: Model, change: dict[str, str]) -> Model:
    """The model with taps of Llama in each other's places."""

    def mistaken(block: Any) -> Taps:
        right = taps(block)
        return {**right, **{point: right[other] for point, other in change.items()}}

    return replace(model, adapter=Decoder(mistaken))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"attn_out": "mlp_out"}, "what attention and MLP add lies between the residuals"),
        ({"mlp_in": "resid_post"}, "the MLP reads its norm's value times the gain"),
        ({"resid_pre": "resid_post"}, "residuals are among transformers' hidden states"),
    ],
)
def test_a_tap_in_the_wrong_place_is_found(change: dict[str, str], expected: str) -> None:
    found = conformance(with_taps(model_of("llama"), change))
    assert not found.holds
    assert expected in failing(found) or change == {"resid_pre": "resid_post"}


def test_a_scale_that_was_forgotten_is_found() -> None:
    """Granite multiplies what is added; a file that does not say so is wrong by that factor."""
    found = conformance(replace(model_of("granite"), adapter=Decoder(_without_scale)))
    assert failing(found) == {"what attention and MLP add lies between the residuals"}


def _without_scale(block: Any) -> Taps:
    return in_turn(
        block, z=block.self_attn.o_proj, attention=block.self_attn, mlp=block.mlp,
        norm=block.post_attention_layernorm,
    )  # fmt: skip


def test_logits_that_are_not_the_models_own_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of("granite")
    monkeypatch.setattr("faultlens.models.unembedding._logit_scale", lambda config: 1.0)
    assert "logits are transformers' own" in failing(conformance(model))


def test_what_is_shown_names_what_fails_and_by_how_much() -> None:
    found = conformance(with_taps(model_of("llama"), {"attn_out": "mlp_out"}))
    text = "\n".join(conformance_lines(found))
    assert text.startswith("llama: llama, a family file; 24 sites in 3 layers.\n")
    assert "  FAILS  what attention and MLP add lies between the residuals (largest diff" in text
    assert "blocks.0.hook_resid_mid is off by" in text
    structure = "\n".join(conformance_lines(conformance(model_of("mamba"))))
    assert "mamba: mamba, blocks found by structure; 6 sites in 3 layers." in structure
    assert "  Texts go one a row, for they would see each other.\n" in structure
    assert "at a column, it goes on from the first column." in structure
    assert "A family file would give attention's and the MLP's sites as well" in structure
