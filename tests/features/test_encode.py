"""Encoding: each way finds what a dense float32 computation finds. Referees: NumPy and SAELens."""

from __future__ import annotations

import os
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from torch.testing import assert_close

from faultlens.errors import UserError
from faultlens.features import encoding_choice, plain_encoding, screened_encoding
from faultlens.features.encode import Encoding, encode
from faultlens.features.encoding_choice import ChosenEncoding, agree, precisions, tried
from faultlens.features.reading_config import LowPrecision
from faultlens.models.dictionary import (
    Activation,
    Convention,
    Dictionary,
    Gated,
    JumpRelu,
    Relu,
    TopK,
)
from faultlens.models.sae_folder import load_sae_folder
from faultlens.models.sites import Site

if not screened_encoding.installed() and os.environ.get("CI") != "true":
    pytest.skip("the extra 'fast' is not installed", allow_module_level=True)

PRECISIONS = precisions()
WAYS: list[Encoding] = ["plain", *PRECISIONS]


def dictionary(
    d_in: int, d_sae: int, activation: Activation, shift: float, seed: int
) -> Dictionary:
    generator = torch.Generator().manual_seed(seed)
    return Dictionary(
        name="3-res-x",
        site=Site(3, "resid_pre"),
        activation=activation,
        W_enc=torch.randn(d_in, d_sae, generator=generator)
        * torch.rand(d_sae, generator=generator),
        b_enc=torch.randn(d_sae, generator=generator) + shift,
        W_dec=torch.randn(d_sae, d_in, generator=generator),
        b_dec=torch.randn(d_in, generator=generator),
        convention=Convention(prepend_bos=True, centred=True),
        source="made in a test",
        digest="",
    )


def values(tokens: int, d_in: int, seed: int) -> torch.Tensor:
    """As residuals are: of unequal norms, about a mean, one dimension far larger than the rest."""
    generator = torch.Generator().manual_seed(seed + 1)
    x = torch.randn(tokens, d_in, generator=generator)
    x = x * (0.1 + torch.rand(tokens, 1, generator=generator)) + 2 * torch.ones(d_in).cumsum(0) / 5
    x[:, d_in // 2] *= 40
    return x


def dense(of: Dictionary, x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The referee in float64: activations, and the scale that 1e-5 is meant of."""
    x64 = x.double().numpy()
    x64 = x64 - x64.mean(-1, keepdims=True)
    weights, bias = of.W_enc.double().numpy(), of.b_enc.double().numpy()
    pre = x64 @ weights + bias
    scale = np.linalg.norm(x64, axis=1)[:, None] * np.linalg.norm(weights, axis=0) + np.abs(bias)
    kind = of.activation
    if isinstance(kind, TopK):
        kept = np.argsort(-pre, axis=1, kind="stable")[:, : kind.k]
        mask = np.zeros_like(pre, dtype=bool)
        np.put_along_axis(mask, kept, True, axis=1)
        return np.where(mask & (pre > 0), pre, 0), scale
    if isinstance(kind, JumpRelu):
        return np.where((pre > kind.threshold.numpy()) & (pre > 0), pre, 0), scale
    if isinstance(kind, Gated):
        magnitude = pre * kind.scale.numpy() + kind.shift.numpy()
        return np.where((pre > 0) & (magnitude > 0), magnitude, 0), scale
    return np.maximum(pre, 0), scale


def check(of: Dictionary, x: torch.Tensor, found: csr_matrix) -> None:
    expected, scale = dense(of, x)
    assert found.shape == expected.shape and found.dtype == np.float32
    assert found.has_sorted_indices and (found.data > 0).all()
    got = found.toarray()
    # What fires in one alone lies at a threshold to within rounding: a jump is as high as itself.
    apart = (got > 0) != (expected > 0)
    assert apart.sum() <= 2 + 1e-4 * apart.size
    tolerance = 1e-5 * scale * (10 if isinstance(of.activation, Gated) else 1)
    assert (np.abs(got - expected)[~apart] <= tolerance[~apart]).all()
    if isinstance(of.activation, Relu):
        assert (np.abs(got - expected)[apart] <= tolerance[apart]).all()


def activations(d_sae: int, seed: int) -> list[Activation]:
    generator = torch.Generator().manual_seed(seed + 2)
    normal = torch.randn(d_sae, generator=generator)
    return [
        Relu(),
        JumpRelu(normal * 2),
        TopK(3),
        TopK(min(d_sae, 40)),
        Gated(torch.exp(normal / 3), normal),
    ]


@settings(max_examples=40, deadline=None)
@given(
    tokens=st.sampled_from([0, 1, 2, 17, 40]),
    d_in=st.sampled_from([3, 16, 33]),
    d_sae=st.sampled_from([40, 64, 100, 700]),
    shift=st.sampled_from([-60.0, -3.0, 0.0, 60.0]),  # nothing fires … everything fires
    kind=st.integers(0, 4),
    way=st.sampled_from(WAYS),
    seed=st.integers(0, 3),
)
def test_every_way_finds_what_a_dense_computation_finds(
    tokens: int, d_in: int, d_sae: int, shift: float, kind: int, way: Encoding, seed: int
) -> None:
    of = dictionary(d_in, d_sae, activations(d_sae, seed)[kind], shift, seed)
    x = values(tokens, d_in, seed)
    check(of, x, encode(of, x, way))


@pytest.mark.parametrize("way", WAYS)
def test_of_features_that_tie_at_the_boundary_k_are_kept(way: Encoding) -> None:
    """Every feature is there four times over, so that the 10th largest is always in the middle."""
    of = dictionary(16, 160, TopK(10), 3.0, 0)
    of = replace(of, W_enc=of.W_enc.repeat(1, 4), b_enc=of.b_enc.repeat(4), W_dec=of.W_dec)
    x = values(30, 16, 0)
    found = encode(of, x, way)
    expected = np.sort(dense(of, x)[0], axis=1)[:, ::-1][:, :10]
    assert (np.diff(found.indptr) == 10).all()
    got = np.sort(found.data.reshape(30, 10), axis=1)[:, ::-1]
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("way", WAYS)
def test_tiles_and_threads_change_nothing(way: Encoding, monkeypatch: pytest.MonkeyPatch) -> None:
    of, x = dictionary(16, 700, Relu(), -3, 1), values(90, 16, 1)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    whole = encode(of, x, way)
    for module in (plain_encoding, screened_encoding):
        monkeypatch.setattr(module, "TILE", 7)
    monkeypatch.setattr(screened_encoding, "BLOCK", 96)
    torch.set_num_threads(1)
    tiles = encode(of, x, way)
    torch.set_num_threads(threads)
    assert (whole.indptr == tiles.indptr).all() and (whole.indices == tiles.indices).all()
    np.testing.assert_allclose(whole.data, tiles.data, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "options"), [("standard", {}), ("jumprelu", {}), ("topk", {"k": 7})]
)
@pytest.mark.parametrize("normalisation", ["none", "layer_norm"])
@pytest.mark.parametrize("way", WAYS)
def test_activations_are_saelenss(
    tmp_path: Path, architecture: str, options: dict[str, Any], normalisation: str, way: Encoding
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sae_lens.registry import get_sae_class
        from sae_lens.saes.sae import SAEMetadata

        sae_class, config_class = get_sae_class(architecture)
        config = config_class(
            d_in=24, d_sae=200, normalize_activations=normalisation,
            metadata=SAEMetadata(hook_name="blocks.2.hook_resid_pre"), **options,
        )  # fmt: skip
        sae = sae_class(config)
    torch.manual_seed(1)
    for name, parameter in sae.named_parameters():
        parameter.data = torch.randn_like(parameter)
        if name == "threshold":
            parameter.data = parameter.data.abs() * 3
    sae.save_model(tmp_path / "sae")
    ours = load_sae_folder(tmp_path / "sae", "set", torch.device("cpu"))
    x = torch.randn(60, 24) * torch.linspace(0.3, 3, 60)[:, None] + 1
    with torch.no_grad():
        theirs = sae.encode(x)
    theirs = theirs.to_dense() if theirs.is_sparse else theirs
    found = torch.from_numpy(encode(ours, x, way).toarray())
    assert ((found > 0) == (theirs > 0)).all()
    assert 0.01 < float((theirs > 0).float().mean()) < 0.99
    assert_close(found, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_compiled_way_computes_few_pre_activations(
    precision: LowPrecision, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the screening that is tested above, not its way out where too much fires."""
    monkeypatch.setattr(screened_encoding, "encode_plain", lambda *_: pytest.fail("computed whole"))
    of, x = dictionary(48, 2048, Relu(), 0, 3), values(64, 48, 3)
    pre = of.prepare(x) @ of.W_enc
    of = replace(of, b_enc=0.01 - pre.quantile(0.99, dim=0))
    found = encode(of, x, precision)
    assert 0.005 * 64 * 2048 < found.nnz < 0.02 * 64 * 2048
    of = replace(of, activation=TopK(8))
    assert encode(of, x, precision).nnz > 0


def test_a_way_that_finds_something_else_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    of, x = dictionary(16, 640, Relu(), -3, 5), values(200, 16, 5)
    assert all(agree(of, x, encode(of, x), encode(of, x, way)) for way in WAYS)
    own = encoding_choice.encode

    def other(d: Dictionary, x: torch.Tensor, way: Encoding = "plain") -> csr_matrix:
        return own(d, x, way) * np.float32(1.001 if way == "int8" else 1)

    monkeypatch.setattr(encoding_choice, "encode", other)
    assert "bfloat16" in tried([of], {of.site: x}) and "int8" not in tried([of], {of.site: x})


def test_without_the_extra_the_compiled_way_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of, x = dictionary(4, 40, Relu(), 0, 6), values(3, 4, 6)
    monkeypatch.setattr(screened_encoding, "installed", lambda: False)
    for asks in (
        lambda: encode(of, x, "int8"),
        lambda: ChosenEncoding().choose("compiled", [of], 3, lambda: {}),
    ):
        with pytest.raises(UserError) as missing:
            asks()
    assert str(missing.value) == (
        "the compiled encoding needs Numba, which is not installed: pip install "
        "'faultlens[fast]', or choose the plain encoding"
    )
    assert encode(of, x).shape == (3, 40)


def test_the_way_is_chosen_once_when_a_reading_is_long_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of, other = (
        dictionary(16, 640, Relu(), -3, 4),
        dictionary(16, 40, Gated(*[torch.ones(40)] * 2), -3, 4),
    )
    seconds: dict[Encoding, float] = {"plain": 1.0, "bfloat16": 0.8, "int8": 0.7}
    trials = []

    def trial(dictionaries: Any, seen: Any) -> dict[Encoding, float]:
        trials.append((dictionaries, seen))
        return dict(seconds)

    monkeypatch.setattr(encoding_choice, "tried", trial)
    monkeypatch.setattr(encoding_choice, "PATIENCE", 2.0 * 1000 * (of.W_enc.numel() + 16 * 40))
    seen = {of.site: values(200, 16, 4)}

    def chosen(kept: ChosenEncoding, tokens: int, asked: Any = "auto") -> Encoding:
        return kept.choose(asked, [of, other], tokens, lambda: seen)

    kept = ChosenEncoding()
    assert chosen(kept, 999) == "plain"
    assert (kept.seconds, trials) == (None, []), "too short for the choice to matter"
    assert chosen(kept, 1000) == "int8"
    assert trials == [([of], seen)], "what cannot be screened is the same in every way"
    seconds["int8"] = 0.9
    assert chosen(kept, 5000) == chosen(kept, 1) == chosen(kept, 1, "compiled") == "int8"
    assert chosen(kept, 1, "plain") == "plain"
    assert len(trials) == 1, "it is chosen already"
    assert chosen(ChosenEncoding(), 1000) == chosen(ChosenEncoding(), 1, "compiled") == "bfloat16"
    seconds |= {"bfloat16": 0.95, "int8": 1.3}
    assert chosen(ChosenEncoding(), 1000) == "plain", "too little would be gained"
    assert chosen(ChosenEncoding(), 1, "compiled") == "bfloat16"
    del seconds["bfloat16"]
    assert chosen(ChosenEncoding(), 1, "compiled") == "int8"
    monkeypatch.setattr(encoding_choice, "installed", lambda: False)
    assert chosen(ChosenEncoding(), 1000) == "plain"


@pytest.mark.parametrize("slow", WAYS)
def test_the_quickest_way_is_found_by_trying_all(
    slow: Encoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    of, x = dictionary(16, 640, Relu(), -3, 4), values(200, 16, 4)
    own, calls = encoding_choice.encode, list[Encoding]()

    def encode_late(d: Dictionary, x: torch.Tensor, way: Encoding = "plain") -> csr_matrix:
        calls.append(way)
        time.sleep(0.1 if way == slow else 0)
        return own(d, x, way)

    monkeypatch.setattr(encoding_choice, "encode", encode_late)
    seconds = tried([of], {of.site: x})
    assert set(seconds) == set(WAYS) and max(seconds, key=lambda way: seconds[way]) == slow
    assert calls[:3] == WAYS and calls.count(slow) in (2, 3), "each once before it is timed"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", range(5))
def test_nothing_infinite_or_nan_passes(way: Encoding, kind: int) -> None:
    of = dictionary(16, 64, activations(64, 0)[kind], -3.0, 0)
    x = values(20, 16, 0)
    message = (
        "dictionary 3-res-x gives activations that are infinite or NaN at blocks.3.hook_resid_pre: "
        "its weights are damaged, or were trained on another model"
    )
    bias, weight = of.b_enc.clone(), of.W_enc.clone()
    bias[7], weight[3, 9] = float("nan"), float("inf")
    vast = x.clone()
    vast[5] *= 1e37
    for bad, x_bad in (
        (replace(of, b_enc=bias), x),
        (replace(of, W_enc=weight), x),
        (of, vast),
        (of, torch.full_like(x, float("nan"))),
    ):
        with pytest.raises(UserError) as refused:
            encode(bad, x_bad, way)
        assert str(refused.value) == message
    large = encode(of, 1e20 * x, way)  # far beyond what any model gives, and still a number
    assert np.isfinite(large.data).all() and large.nnz


def test_an_activation_that_makes_nan_of_finite_values_is_refused() -> None:
    class ZeroOverZero:
        def __call__(self, pre: torch.Tensor) -> torch.Tensor:
            return 0 * pre / (0 * pre)

    of = dictionary(16, 64, ZeroOverZero(), -3.0, 0)
    with pytest.raises(UserError, match="3-res-x gives activations that are infinite or NaN"):
        encode(of, values(20, 16, 0))
    whole = replace(of, encoder=lambda prepared: torch.full((len(prepared), 64), float("inf")))
    with pytest.raises(UserError, match="3-res-x gives activations that are infinite or NaN"):
        encode(whole, values(20, 16, 0))
