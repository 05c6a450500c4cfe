"""Screens: what is ruled out in low precision cannot fire. Referee: float64, every pre-activation.

The bound is one of mathematics, so it has to hold whatever the values: those like the ones that the
screen was made from and others, `mini`'s own dictionaries on text, and inputs made to break it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

import faultlens as fl
from faultlens.corpus.texts import seven_categories
from faultlens.features import int8_screen, screened_encoding
from faultlens.features.encode import encode
from faultlens.features.encoding_choice import precisions
from faultlens.features.int8_screen import Int8Screen
from faultlens.features.plain_encoding import encode_plain
from faultlens.features.reading import first_values
from faultlens.features.reading_config import LowPrecision
from faultlens.features.screen import Screen, floor_of
from faultlens.features.screens import keep_only, made, renew_screen, screen_of
from faultlens.features.shapes import Shapes
from faultlens.models.dictionary import Convention, Dictionary, JumpRelu, Relu
from faultlens.models.sites import Site

if not screened_encoding.installed() and os.environ.get("CI") != "true":
    pytest.skip("the extra 'fast' is not installed", allow_module_level=True)

PRECISIONS = precisions()


def dictionary(weights: torch.Tensor, bias: torch.Tensor) -> Dictionary:
    """One that takes values as they are."""
    return Dictionary(
        name="3-res-x", site=Site(3, "resid_pre"), activation=Relu(), W_enc=weights, b_enc=bias,
        W_dec=weights.T, b_dec=torch.zeros(len(weights)),
        convention=Convention(prepend_bos=True, centred=False), source="made in a test", digest="",
    )  # fmt: skip


Case = tuple[Dictionary, torch.Tensor]  # and prepared values


def random(seed: int, d_in: int = 48, d_sae: int = 700, tokens: int = 120) -> Case:
    normal = torch.Generator().manual_seed(seed)
    weights = torch.randn(d_in, d_sae, generator=normal) * torch.rand(d_sae, generator=normal)
    x = torch.randn(tokens, d_in, generator=normal) * torch.rand(tokens, 1, generator=normal)
    bias = torch.randn(d_sae, generator=normal) - 1
    return dictionary(weights, bias), x + torch.arange(d_in) / 9


def bounds(of: Dictionary, screen: Screen, x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """What the screen says of each pre-activation less its threshold, at least and at most."""
    terms, tokens = screen.terms(x)
    low = torch.empty((of.d_sae, len(x)), dtype=screen.product)
    screen.multiply(slice(0, of.d_sae), terms, low)
    f = screen.features
    value = low.double().numpy() * tokens.scale + f.apart.astype(float) @ tokens.apart
    off = np.abs(value) * screen.lost
    off += np.outer(f.norms.astype(float), tokens.alpha) + np.outer(
        f.rests.astype(float), tokens.beta
    )
    unit = f.unit.astype(float)[:, None]
    least, most = value - off + f.lower[:, None], value + off + f.upper[:, None]
    return (unit * least).T, (unit * most).T


def check(of: Dictionary, screen: Screen, x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The bound holds; how far the middle is off, and how far it may be, `[tokens, d_sae]`."""
    exact = (x.double() @ of.W_enc.double() + of.b_enc.double() - floor_of(of).double()).numpy()
    least, most = bounds(of, screen, x)
    assert (least <= exact).all() and (exact <= most).all()
    return np.abs(exact - (least + most) / 2), (most - least) / 2


def hot_dimension(of: Dictionary, x: torch.Tensor) -> Case:
    x = x.clone()
    x[:, 5] *= 300
    x[::2, 11] -= 40
    return of, x


def massive_token(of: Dictionary, x: torch.Tensor) -> Case:
    x = x.clone()
    x[3] *= 1e4
    x[9, 7] = 5e5
    return of, x


def tiny_norms(of: Dictionary, x: torch.Tensor) -> Case:
    weights, x = of.W_enc.clone(), x.clone()
    weights[:, ::3] *= 1e-9
    weights[:, 1] = 0
    weights[:, 4] *= 1e-32
    weights[:, 7], weights[2, 7] = 1e-25, 3.0
    x[::4] *= 1e-7
    x[1] = 0
    x[2] = x.mean(dim=0)
    return replace(of, W_enc=weights), x


def heavy_tails(of: Dictionary, x: torch.Tensor) -> Case:
    return replace(of, W_enc=of.W_enc**3), x**3


def along_the_roundings(of: Dictionary, x: torch.Tensor) -> Case:
    """Tokens that point where rounding took from a feature's weights: the worst there can be."""
    rows = of.W_enc.T
    scale = rows.abs().amax(dim=1, keepdim=True) / 127
    rest = rows - (rows / scale).round() * scale
    x = x.clone()
    x[:60] = rest[:60] / rest[:60].norm(dim=1, keepdim=True) * 30
    x[60:90] = rows[:30] * 3
    return of, x


Twist = Callable[[Dictionary, torch.Tensor], Case]
TWISTS: list[Twist] = [hot_dimension, massive_token, tiny_norms, heavy_tails, along_the_roundings]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("seen", ["these values", "others"])
def test_the_bound_holds_and_is_no_wider_than_it_must(precision: LowPrecision, seen: str) -> None:
    of, x = random(0)
    of = replace(of, activation=JumpRelu(torch.rand(of.d_sae)))
    screen = made(of, precision, x if seen == "these values" else random(1)[1] * 3 - 2)
    error, bound = check(of, screen, x)
    assert (error > 0.2 * bound).any()
    # The negative control: by itself low precision puts some on the wrong side of the threshold.
    least, most = bounds(of, screen, x)
    exact = x.double() @ of.W_enc.double() + of.b_enc.double() - floor_of(of).double()
    assert ((exact.numpy() > 0) != (least + most > 0)).any()


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("twist", TWISTS)
def test_the_bound_holds_for_values_made_to_break_it(precision: LowPrecision, twist: Twist) -> None:
    of, x = twist(*random(2))
    for seen in (x, x[:1], random(3)[1]):
        check(of, made(of, precision, seen), x)
    found, plain = encode(of, x, precision), encode_plain(of, x)
    apart = (found > 0) != (plain > 0)
    assert apart.nnz <= 2 and abs(found - plain).max() <= 1e-5 * plain.max()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_worst_case_is_reached(precision: LowPrecision) -> None:
    """So no term of the bound could be left out."""
    of, x = along_the_roundings(*random(2))
    error, bound = check(of, made(of, precision, torch.zeros(2, 48)), x)
    assert (error / bound).max() > {"int8": 0.6, "bfloat16": 0.1}[precision]


@pytest.fixture(scope="module")
def mini() -> tuple[list[Dictionary], dict[Site, torch.Tensor]]:
    """`mini`'s dictionaries, and some hundred of its values on text."""
    lens = fl.load("mini")
    shapes = Shapes.suited_to(lens.model, lens.dictionaries)
    texts = lens.tokenize(list(seven_categories().texts[:6]))
    return list(lens.dictionaries), first_values(lens.model, lens.dictionaries, texts, shapes, 120)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_bound_holds_for_minis_dictionaries(
    precision: LowPrecision, mini: tuple[list[Dictionary], dict[Site, torch.Tensor]]
) -> None:
    dictionaries, values = mini
    for of in dictionaries:
        x = of.prepare(values[of.site])
        error, bound = check(of, made(of, precision, x[:40]), x)
        spread = np.std(x.numpy() @ of.W_enc.numpy())
        assert np.median(bound) < {"bfloat16": 0.15, "int8": 0.7}[precision] * spread
        assert (error > 0.05 * bound).any()
        found, plain = encode(of, values[of.site], precision), encode_plain(of, values[of.site])
        assert plain.nnz > 100 and (found.indptr == plain.indptr).all()
        assert (found.indices == plain.indices).all()
        np.testing.assert_allclose(found.data, plain.data, rtol=1e-4, atol=1e-5)


def test_whichever_the_screen_the_same_bits_come_out() -> None:
    of, x = random(4, d_sae=3000)
    both = [encode(of, x, precision) for precision in PRECISIONS]
    assert len(both) == 2 and both[0].nnz > 1000
    for name in ("indptr", "indices", "data"):
        assert (getattr(both[0], name) == getattr(both[1], name)).all()


def test_int8_multiplies_far_dimensions_apart() -> None:
    of, x = hot_dimension(*random(5))
    with_it = Int8Screen.of(of, x)
    assert with_it.features.apart.shape == (700, 2)
    assert made(of, "int8", random(5)[1]).features.apart.shape == (700, 0)
    without = replace(with_it, apart=torch.zeros(0, dtype=torch.long))
    wide = np.median(without.terms(x)[1].alpha) / np.median(with_it.terms(x)[1].alpha)
    assert wide > 20, "one scale for all would leave nothing of the small dimensions"


def test_a_screen_is_made_once_and_kept_in_one_precision() -> None:
    of, x = random(6)
    first = screen_of(of, "int8", x)
    assert screen_of(of, "int8", x + 1) is first
    other = screen_of(of, "bfloat16", x)
    assert screen_of(of, "int8", x) is first
    keep_only(of, "bfloat16")
    assert screen_of(of, "bfloat16", x) is other and screen_of(of, "int8", x) is not first
    renew_screen(of, "int8", x + 1)
    new = screen_of(of, "int8", x)
    assert isinstance(new, Int8Screen) and (new.mean == (x + 1).mean(dim=0)).all()
    assert screen_of(of, "bfloat16", x) is not other


def test_without_int8_in_pytorch_it_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    assert precisions() == ["bfloat16", "int8"]
    monkeypatch.setattr(int8_screen, "available", lambda: False)
    assert precisions() == ["bfloat16"]
