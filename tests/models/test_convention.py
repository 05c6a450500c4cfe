"""Conventions put in force and tried: the tensors they come to, and what has no meaning.

The referee of both scales is SAELens, which folds a factor and carries a decoder's norm itself.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_sae_folder import CPU, D_IN, inputs, saelens
from torch.testing import assert_close

from faultlens.errors import UserError
from faultlens.models.convention import put_in_force, rivals
from faultlens.models.dictionary import Dictionary
from faultlens.models.folding import Origin
from faultlens.models.sae_folder import load_sae_folder
from faultlens.models.scales import with_scales, without_scales
from faultlens.models.sites import Site
from faultlens.models.sparse import product

pytestmark = pytest.mark.usefixtures("one_thread")


def topk(tmp_path: Path, **options: object) -> tuple[Dictionary, object]:
    """A TopK dictionary whose decoder's norms differ, and SAELens's own."""
    sae = saelens("topk", k=7, **options)
    sae.W_dec.data *= torch.logspace(-1, 1, len(sae.W_dec))[:, None]
    sae.save_model(tmp_path / "sae")
    return load_sae_folder(tmp_path / "sae", "set", CPU), sae


def same(ours: Dictionary, theirs: Dictionary) -> None:
    x = inputs()
    assert_close(ours.encode(x), theirs.encode(x), rtol=1e-4, atol=1e-4)
    assert_close(ours.reconstruct(x), theirs.reconstruct(x), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("carried", [True, False])
def test_a_factor_is_what_saelens_folds_with_the_decoders_norm_or_without(
    tmp_path: Path, carried: bool
) -> None:
    ours, sae = topk(
        tmp_path, rescale_acts_by_decoder_norm=carried,
        normalize_activations="expected_average_only_in",
    )  # fmt: skip
    given = put_in_force(ours, ["factor=3.5"])
    sae.fold_activation_norm_scaling_factor(3.5)
    x = inputs()
    with torch.no_grad():
        activations = sae.encode(x)
        activations = activations.to_dense() if activations.is_sparse else activations
        rebuilt = sae.decode(activations)
    assert_close(given.encode(x), activations, rtol=1e-4, atol=1e-4)
    assert_close(given.reconstruct(x), rebuilt, rtol=1e-4, atol=1e-3)
    origin = Origin("", "", "set", factor=3.5)
    same(given, load_sae_folder(tmp_path / "sae", "set", CPU, origin=origin))
    same(put_in_force(given, ["unnormalised"]), ours)
    assert given.convention.factor == 3.5


def test_the_decoders_norm_is_put_in_and_taken_out_as_saelens_does(tmp_path: Path) -> None:
    plain, _ = topk(tmp_path / "a", rescale_acts_by_decoder_norm=False)
    carried, _ = topk(tmp_path / "b", rescale_acts_by_decoder_norm=True)
    fired = plain.encode(inputs()) > 0
    assert (fired != (carried.encode(inputs()) > 0)).any(), "the norm must decide"
    same(put_in_force(plain, ["decoder-norm"]), carried)
    same(put_in_force(carried, ["no-decoder-norm"]), plain)
    assert carried.convention.to_dict()["decoder_norm"] is True


def test_scales_come_out_as_they_went_in(tmp_path: Path) -> None:
    plain, _ = topk(tmp_path, rescale_acts_by_decoder_norm=False)
    back = without_scales(with_scales(plain, 0.3, True))
    for name in ("W_enc", "b_enc", "W_dec", "b_dec"):
        assert_close(getattr(back, name), getattr(plain, name))


def test_trying_a_convention_is_putting_it_in_force(tmp_path: Path) -> None:
    """Each rival shares one projection, and gives what its folded tensors give."""
    ours, _ = topk(tmp_path, rescale_acts_by_decoder_norm=True)
    bias = torch.linspace(-1, 1, D_IN)
    at_z = replace(ours, site=Site(2, "z"), value_bias=bias)
    x = inputs()
    words = set()
    for dictionary in (ours, put_in_force(ours, ["factor=0.4", "centred"]), at_z):
        projected = x @ without_scales(dictionary).W_enc
        for rival in rivals(dictionary, 3.0):
            put = put_in_force(dictionary, rival.words)
            tried = rival.dictionary.encode_from(x, projected)
            assert ((tried > 0) == (put.encode(x) > 0)).all(), rival.words
            rebuilt = rival.dictionary.rebuilt_of(tried, x)
            expected = put.reconstruct(x)
            assert_close(rebuilt, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
            assert rival.dictionary.convention.given == put.convention.given
            words |= set(rival.words)
    assert {"centred", "raw", "no-bos", "folded", "layer_norm", "constant_norm_rescale",
            "unnormalised", "no-decoder-norm"} < words  # fmt: skip


def test_a_factor_means_nothing_where_tensors_cannot_carry_it(tmp_path: Path) -> None:
    saelens("transcoder", "blocks.2.ln2.hook_normalized").save_model(tmp_path / "tc")
    saelens("matching_pursuit", max_iterations=9).save_model(tmp_path / "mp")
    saelens("standard").save_model(tmp_path / "relu")
    transcoder, pursuit, relu = (
        load_sae_folder(tmp_path / name, "set", CPU) for name in ("tc", "mp", "relu")
    )
    for dictionary, word, message in (
        (transcoder, "factor=2", "a transcoder, whose input and output have scales of their own"),
        (pursuit, "factor=2", "whose encoder is SAELens's own: leave it out"),
        (relu, "decoder-norm", "where the decoder's norm decides nothing: leave it out"),
        (relu, "before-gain", "means nothing for 2-res-set at blocks.2.hook_resid_pre: leave"),
        (transcoder, "centred", "means nothing for 2-norm-set at blocks.2.ln2.hook_normalized"),
    ):
        with pytest.raises(UserError, match=message):
            put_in_force(dictionary, [word])
    with pytest.raises(UserError, match="'layer_norm' and 'factor=2' exclude each other: give one"):
        put_in_force(relu, ["layer_norm", "bos", "factor=2"])
    assert not [r for r in rivals(pursuit, 3.0) if r.words and r.words[0].startswith("factor")]


def test_a_sparse_product_is_the_dense_one() -> None:
    torch.manual_seed(0)
    right = torch.randn(400, 6)
    for share in (0.0, 0.01, 0.5):  # none, few, too many for the sparse way
        left = torch.randn(50, 400) * (torch.rand(50, 400) < share)
        left[3] = 0
        assert_close(product(left, right), left @ right, rtol=1e-5, atol=1e-5)
    few = (torch.randn(50, 400) * (torch.rand(50, 400) < 0.01)).requires_grad_()
    product(few, right).sum().backward()
    assert few.grad is not None
    assert_close(few.grad, right.sum(1).expand(50, 400))
    assert product(torch.zeros(0, 400), right).shape == (0, 6)
