"""The sparse step: SAELens's own loss and gradients are the referee."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from faultlens.models.sites import Site
from faultlens.training.config import SparsityConfig
from faultlens.training.dense_step import DenseStep
from faultlens.training.kinds import training_sae
from faultlens.training.plan import DictionaryPlan
from faultlens.training.sparse_step import SparseStep

D_IN, D_SAE, K, TOKENS = 32, 128, 4, 64
# Of the auxiliary loss's gradients in bfloat16: where all dead features are in it, and where the
# strongest are, and rounding may swap two that are as strong.
ROUNDING, SWAPS = 2**-6, 2**-4
SITE = Site(0, "resid_pre")


def made(kind: str, seed: int = 0) -> Any:
    """A training SAE whose norms, biases and directions are nothing special."""
    plan = DictionaryPlan("x", kind, SITE, SITE, D_IN, D_IN, D_SAE, K, seed)
    sae = training_sae(plan, SparsityConfig(), 100, {}, torch.device("cpu"))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        sae.W_dec.mul_(0.5 + torch.rand(D_SAE, 1, generator=generator))
        sae.b_dec.normal_(generator=generator)
        sae.b_enc.normal_(std=0.3, generator=generator)
        sae.W_enc.add_(0.05 * torch.randn(D_IN, D_SAE, generator=generator))
    return sae


def batch(seed: int = 1) -> torch.Tensor:
    return torch.randn(TOKENS, D_IN, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", ["topk", "batchtopk"])
@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("dead", [0, 5, 40])  # none; fewer and more than the half of d_in
def test_loss_and_gradients_are_saelens_own(kind: str, coarse: bool, dead: int) -> None:
    mask = torch.arange(D_SAE) < dead
    theirs, ours = made(kind), made(kind)
    expected = DenseStep(theirs)(batch(), mask, {}, 0)
    found = SparseStep(ours, K, kind != "topk", coarse)(batch(), batch(), mask)
    without = made(kind)  # the loss but for its auxiliary part, which alone may be coarse
    DenseStep(without)(batch(), torch.zeros(D_SAE, dtype=torch.bool), {}, 0)
    part = (SWAPS if dead > D_IN / 2 else ROUNDING) if coarse and dead else 0.0
    assert found.loss == pytest.approx(expected.loss, rel=1e-3 if part else 1e-5)
    assert found.squared_error == pytest.approx(expected.squared_error, rel=1e-5)
    assert found.firings == expected.firings > 0
    assert torch.equal(found.fired, expected.fired)
    for name, parameter in theirs.named_parameters():
        grad = dict(ours.named_parameters())[name].grad
        exact = dict(without.named_parameters())[name].grad
        largest = float(parameter.grad.abs().max())
        assert largest > 0
        allowed = 1e-5 * largest + part * float((parameter.grad - exact).abs().max())
        assert float((grad - parameter.grad).abs().max()) <= allowed, name


def test_a_selection_by_pre_activation_alone_would_be_another() -> None:
    """The decoder's norm decides with it who is among the k: without it the loss differs."""
    sae, other = made("topk"), made("topk")
    none = torch.zeros(D_SAE, dtype=torch.bool)
    by_norm = SparseStep(sae, K, False, False)(batch(), batch(), none).loss
    other.cfg.rescale_acts_by_decoder_norm = False
    assert DenseStep(other)(batch(), none, {}, 0).loss != pytest.approx(by_norm, rel=1e-3)


@pytest.mark.parametrize("kind", ["topk", "batchtopk"])
def test_a_transcoder_s_gradients_are_autograd_s(kind: str) -> None:
    """Another target, a skip connection, no bias taken off: written out densely as the referee."""
    sae, x, target = made(kind), batch(), batch(7)
    sae.cfg.apply_b_dec_to_input = False
    skip = (0.1 * batch(8)[:D_IN]).requires_grad_()
    none = torch.zeros(D_SAE, dtype=torch.bool)
    found = SparseStep(sae, K, kind != "topk", False, skip)(x, target, none)
    got = {name: p.grad.clone() for name, p in sae.named_parameters()} | {"skip": skip.grad.clone()}

    leaves = {name: p.detach().clone().requires_grad_() for name, p in sae.named_parameters()}
    leaves["skip"] = skip.detach().clone().requires_grad_()
    pre = x @ leaves["W_enc"] + leaves["b_enc"]
    strength = (pre * leaves["W_dec"].norm(dim=1)).detach()
    if kind == "topk":
        least = strength.topk(K, dim=1).values[:, -1:]
    else:
        least = strength.flatten().topk(K * TOKENS).values[-1]
    acts = torch.relu(pre) * (strength >= least)
    rebuilt = acts @ leaves["W_dec"] + leaves["b_dec"] + x @ leaves["skip"]
    loss = ((rebuilt - target) ** 2).sum(dim=1).mean()
    loss.backward()
    assert found.loss == pytest.approx(float(loss.detach()), rel=1e-5)
    for name, leaf in leaves.items():
        assert leaf.grad is not None
        assert float((got[name] - leaf.grad).abs().max()) <= 1e-5 * float(leaf.grad.abs().max())
