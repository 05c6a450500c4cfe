"""The logit lens against transformers' own norm and unembedding, family by family."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_networks import WIDTH, model_of

from faultlens.models.dictionary import Convention, Dictionary, Relu
from faultlens.models.logit_lens import direct_logits, residual_directions
from faultlens.models.model import Model
from faultlens.models.sites import Site

FINAL_NORMS = {
    "llama": "model.norm",
    "gemma": "model.norm",
    "olmo2": "model.norm",
    "granite": "model.norm",  # divides its logits
    "cohere": "model.norm",  # multiplies them
    "phi": "model.final_layernorm",  # a norm and an unembedding with biases
    "opt": "model.decoder.final_layer_norm",
    "bloom": "transformer.ln_f",
    "falcon": "transformer.ln_f",
    "mamba": "backbone.norm_f",
}
"""Where transformers keeps each family's last norm."""


@pytest.fixture(scope="module")
def directions() -> torch.Tensor:
    return torch.randn(5, WIDTH, generator=torch.Generator().manual_seed(3)) * 0.7 + 0.2


def dictionary_at(model: Model, point: str, layer: int = 1) -> Dictionary:
    site = Site(layer, point)
    width = model.width(site)
    drawn = torch.randn(6, width, generator=torch.Generator().manual_seed(4))
    return Dictionary(
        f"{layer}-x", site, Relu(), drawn.T.clone(), torch.zeros(6), drawn, torch.zeros(width),
        Convention(True, False), "by hand", "",
    )  # fmt: skip


@pytest.mark.parametrize("family", FINAL_NORMS)
def test_logits_are_those_of_the_models_own_norm_and_unembedding(
    family: str, directions: torch.Tensor
) -> None:
    model = model_of(family)
    network: Any = model.network
    norm, head = network.get_submodule(FINAL_NORMS[family]), network.get_output_embeddings()
    nothing = torch.zeros_like(directions)
    expected = head(norm(directions)) - head(norm(nothing))
    found = direct_logits(model, directions)
    assert found.shape == (5, model.vocabulary)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    without_norm = torch.nn.functional.linear(directions, head.weight)
    order = [one.argsort(dim=1) for one in (found, expected, without_norm)]
    assert torch.equal(order[0], order[1])
    assert not torch.equal(order[0], order[2]), "the norm's gains matter to the order"


def test_what_is_added_to_the_residual_stream_is_read_as_it_is() -> None:
    model = model_of("llama")
    for point in ("resid_pre", "resid_post", "attn_out", "mlp_out"):
        dictionary = dictionary_at(model, point)
        found = residual_directions(model, dictionary, [4, 0])
        assert found is not None and torch.equal(found, dictionary.W_dec[[4, 0]])


def test_heads_are_read_through_the_output_projection_and_the_norm_behind_it() -> None:
    plain, with_norm = model_of("llama"), model_of("olmo2")
    dictionary = dictionary_at(plain, "z")
    block = plain.network.model.layers[1]
    found = residual_directions(plain, dictionary, [0, 5])
    assert found is not None
    torch.testing.assert_close(found, block.self_attn.o_proj(dictionary.W_dec[[0, 5]]))
    dictionary = dictionary_at(with_norm, "z")
    block = with_norm.network.model.layers[1]
    found = residual_directions(with_norm, dictionary, [0, 5])
    assert found is not None
    written = block.self_attn.o_proj(dictionary.W_dec[[0, 5]])
    torch.testing.assert_close(found, block.post_attention_layernorm(written))


def test_an_mlps_input_adds_nothing_to_the_residual_stream() -> None:
    model = model_of("llama")
    assert residual_directions(model, dictionary_at(model, "mlp_in"), [0]) is None
