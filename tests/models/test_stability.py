"""Stability: shared directions are counted one to one, and neither length nor sign counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import faultlens as fl
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.models.dictionary import Dictionary
from faultlens.models.stability import stabilities, stability


@pytest.fixture(scope="module")
def lens() -> Lens:
    return fl.load("mini", layers=[2, 3])


def planted(lens: Lens, directions: torch.Tensor) -> Dictionary:
    """A dictionary at layer 2 that writes these directions and no others."""
    mine = lens.dictionaries[0]
    return replace(mine, W_enc=mine.W_enc[:, : len(directions)], W_dec=directions)


def unit(angle: float) -> torch.Tensor:
    """192 orthogonal directions, turned by an angle within pairs of dimensions."""
    cosine, sine = torch.cos(torch.tensor(angle)), torch.sin(torch.tensor(angle))
    turn = torch.stack([torch.stack([cosine, -sine]), torch.stack([sine, cosine])])
    return torch.block_diag(*[turn] * 96)


def test_neither_the_order_nor_the_length_of_directions_counts(lens: Lens) -> None:
    first = planted(lens, unit(0.0))
    order = torch.randperm(192, generator=torch.Generator().manual_seed(0))
    found = stability(first, planted(lens, 3 * unit(0.0)[order]))
    assert found.share == 1 and found.matched == found.features == 192
    assert found.median_cosine == pytest.approx(1)
    assert found.random_share == 0


def test_what_is_turned_too_far_or_around_is_not_shared(lens: Lens) -> None:
    first = planted(lens, unit(0.0))
    assert stability(first, planted(lens, unit(0.44))).share == 1  # cosine .905
    turned = stability(first, planted(lens, unit(0.46)))  # cosine .896
    assert turned.share == 0
    assert turned.median_cosine == pytest.approx(0.896, abs=1e-3)
    assert stability(first, planted(lens, -unit(0.0))).share == 0
    half = torch.cat([unit(0.0)[:96], unit(0.46)[96:]])
    assert stability(first, planted(lens, half)).share == 0.5


def test_one_direction_is_not_found_twice(lens: Lens) -> None:
    """Of 192 features that write one direction, one has its match where that is written once."""
    same = unit(0.0)[:1].repeat(192, 1)
    once = torch.cat([unit(0.0)[:1], unit(0.46)[2:]])
    found = stability(planted(lens, same), planted(lens, once))
    assert found.matched == 1
    assert found.median_cosine == pytest.approx(1)


def test_dictionaries_are_paired_by_their_site(lens: Lens) -> None:
    found = stabilities(lens.dictionaries, "mini", lens.model)
    assert [one.share for one in found] == [1, 1]
    second, third = lens.dictionaries
    assert stability(second, replace(third, site=second.site)).share < 0.5


def test_other_sites_are_refused(lens: Lens) -> None:
    with pytest.raises(UserError) as refused:
        stability(*lens.dictionaries)
    assert str(refused.value) == (
        "2-res-mini writes to blocks.2.hook_resid_pre, 3-res-mini to blocks.3.hook_resid_pre: "
        "expected two dictionaries of one site of one model"
    )
