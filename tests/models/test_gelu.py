"""The tanh GELU: transformers' function to rounding, in our passes only, put back afterwards."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from transformers.activations import ACT2FN

from faultlens.models.gelu import PIECE, TanhGelu, fused_gelu
from faultlens.models.model import Model
from faultlens.models.sites import Site


@pytest.mark.parametrize("name", ["gelu_new", "gelu_fast"])
def test_it_is_the_function_that_transformers_computes_in_pieces(name: str) -> None:
    x = torch.linspace(-12, 12, 100_001)
    block = nn.ModuleList([nn.Sequential(ACT2FN[name])])
    with fused_gelu(block):
        fused = block[0](x.clone())
    assert_close(fused, block[0](x), rtol=0, atol=2e-6)
    # Negative control: the exact GELU is another function.
    assert (ACT2FN["gelu"](x) - block[0](x)).abs().max() > 1e-4


def test_it_is_pytorchs_in_every_shape_and_where_gradients_are_asked_for() -> None:
    drawn = torch.Generator().manual_seed(0)
    for shape in [(3, 5), (2, PIECE - 1), (PIECE + 7,), (0, 4)]:
        x = 4 * torch.randn(shape, generator=drawn)
        expected = nn.functional.gelu(x, approximate="tanh")
        parted = x.repeat_interleave(2, dim=-1)[..., ::2]  # every other number in memory
        assert_close(TanhGelu()(parted), expected, rtol=0, atol=2e-6)
        asked = x.clone().requires_grad_()
        assert_close(TanhGelu()(asked), expected, rtol=0, atol=2e-6)
        TanhGelu()(asked).sum().backward()
        assert asked.grad is not None and asked.grad.shape == x.shape
        assert TanhGelu()(x) is x
        assert_close(x, expected, rtol=0, atol=2e-6)


def test_what_is_not_finite_stays_so() -> None:
    x = torch.tensor([torch.nan, torch.inf, 1e30, -1e30, 0.0])
    found = TanhGelu()(x)
    assert found[0].isnan() and found[1:].tolist() == [torch.inf, pytest.approx(1e30), 0.0, 0.0]


@pytest.mark.parametrize("name", ["gelu", "relu", "silu"])
def test_other_functions_are_left_alone(name: str) -> None:
    block = nn.ModuleList([nn.Sequential(ACT2FN[name])])
    before = block[0][0]
    with fused_gelu(block):
        assert block[0][0] is before


def test_a_pass_uses_it_and_puts_the_models_own_back(tiny: Model) -> None:
    own = [block.mlp.act for block in tiny.network.transformer.h]
    seen: list[str] = []
    handles = [
        block.mlp.register_forward_pre_hook(lambda mlp, _: seen.append(type(mlp.act).__name__))
        for block in tiny.network.transformer.h
    ]
    ids = torch.tensor([[0, 5, 9, 33]])
    site = Site(2, "resid_post")
    ours, logits = tiny.read(ids, [site])[site], tiny.logits(ids)
    assert seen == ["TanhGelu"] * 6
    with pytest.raises(IndexError):
        tiny.read(torch.tensor([[999]]), [site])
    assert [block.mlp.act for block in tiny.network.transformer.h] == own
    for handle in handles:
        handle.remove()
    with torch.no_grad():
        theirs = tiny.network(ids)
        hidden = tiny.network.transformer(ids, output_hidden_states=True).hidden_states[2]
    assert_close(logits, theirs.logits, rtol=1e-6, atol=1e-6)
    assert_close(tiny.read(ids, [Site(2, "resid_pre")])[Site(2, "resid_pre")], hidden, rtol=0,
                 atol=1e-6)  # fmt: skip
    assert ours.shape == (1, 4, 24)
