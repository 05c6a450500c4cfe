"""Data made of 200 known sparse directions: every kind finds at least 95 % of them."""

from __future__ import annotations

import pytest
from planted import FIRING, as_planted, recovered, trained, written_for_each

from faultlens.training.config import SparsityConfig

RATE = 5e-3
STEPS = {"jumprelu": 600, "standard": 300, "gated": 350, "skip_transcoder": 400}  # others: 250
SPARSITY = {
    "standard": SparsityConfig(k=(FIRING,), l1=1.0),
    "gated": SparsityConfig(k=(FIRING,), l1=1.0),
    "jumprelu": SparsityConfig(k=(FIRING,), l0=8.0),
}


@pytest.mark.parametrize(
    "kind",
    [
        "topk",
        "batchtopk",
        "matryoshka_batchtopk",
        "transcoder",
        "jumprelu",
        "standard",
        "gated",
    ],
)
def test_planted_directions_are_recovered(kind: str) -> None:
    sparsity = SPARSITY.get(kind, SparsityConfig(k=(FIRING,)))
    before = trained(kind, 1, sparsity)
    assert recovered(before) < 0.05  # nothing is known before anything is learnt
    after = trained(kind, STEPS.get(kind, 250), sparsity, RATE)
    assert recovered(after) >= 0.95
    assert after.curve[-1].fvu < before.curve[-1].fvu


def test_a_skip_connection_takes_what_is_linear() -> None:
    """A skip transcoder writes every planted direction, by its features and its skip together.

    The skip takes what the input says linearly of the output, of each direction something. So a
    feature's decoder is what is left of its direction, and neither part alone is the planted one.
    """
    sparsity = SparsityConfig(k=(FIRING,))
    with_skip, without = (
        trained(kind, STEPS.get(kind, 250), sparsity, RATE)
        for kind in ("skip_transcoder", "transcoder")
    )
    assert with_skip.curve[-1].fvu < 0.7 * without.curve[-1].fvu
    features, skip = written_for_each(with_skip)
    assert as_planted(features + skip) >= 0.95
    assert as_planted(features) < 0.5
    assert as_planted(skip) < 0.5
