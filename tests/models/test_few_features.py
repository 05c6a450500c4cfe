"""A few features' activations, against all of the dictionary's."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from faultlens.models.dictionary import (
    Activation,
    ByDecoderNorm,
    Convention,
    Dictionary,
    Gated,
    JumpRelu,
    Relu,
    TopK,
)
from faultlens.models.few_features import encode_few
from faultlens.models.sites import Site

D_IN, D_SAE, FEATURES = 16, 40, [31, 2, 7]
FEW = torch.Generator().manual_seed(0)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=FEW)


def dictionary(activation: Activation) -> Dictionary:
    return Dictionary(
        "few", Site(1, "resid_pre"), activation, drawn(D_IN, D_SAE), drawn(D_SAE),
        drawn(D_SAE, D_IN), drawn(D_IN), Convention(prepend_bos=True, centred=True), "", "",
    )  # fmt: skip


BY_THEMSELVES = [Relu(), JumpRelu(drawn(D_SAE).abs()), Gated(drawn(D_SAE).exp(), drawn(D_SAE))]


@pytest.mark.parametrize(
    "activation", [*BY_THEMSELVES, TopK(5), ByDecoderNorm(TopK(5), drawn(D_SAE).abs())]
)
def test_they_are_those_of_all(activation: Activation) -> None:
    whole, x = dictionary(activation), 3 * drawn(50, D_IN)
    found, expected = encode_few(whole, x, FEATURES), whole.encode(x)[:, FEATURES]
    assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert 0 < int((found > 0).sum()) < found.numel()


@pytest.mark.parametrize("activation", [*BY_THEMSELVES, TopK(5)])
def test_others_are_computed_only_where_features_compete(
    activation: Activation, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, x, asked = dictionary(activation), drawn(50, D_IN), []
    monkeypatch.setattr(Dictionary, "encode", lambda own, x: asked.append(x) or drawn(50, D_SAE))
    encode_few(whole, x, FEATURES)
    assert len(asked) == isinstance(activation, TopK)
