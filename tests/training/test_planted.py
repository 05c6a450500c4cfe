"""Data made of 200 known sparse directions: every kind finds at least 95 % of them."""

from __future__ import annotations

import pytest
from planted import FIRING, recovered, trained

from faultlens.training.config import SparsityConfig

RATES = {"jumprelu": 3e-3}
STEPS = {"jumprelu": 1500, "standard": 1500, "gated": 1500}
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
    after = trained(kind, STEPS.get(kind, 800), sparsity, RATES.get(kind, 2e-3))
    assert recovered(after) >= 0.95
    assert after.curve[-1].fvu < before.curve[-1].fvu


def test_a_skip_connection_takes_what_is_linear() -> None:
    """What the MLP's input says linearly of its output is left to the skip, and rebuilt better."""
    sparsity = SparsityConfig(k=(FIRING,))
    with_skip, without = (
        trained(kind, 800, sparsity) for kind in ("skip_transcoder", "transcoder")
    )
    assert with_skip.curve[-1].fvu < 0.7 * without.curve[-1].fvu
    assert with_skip.skip is not None
    assert float(with_skip.skip.detach().norm()) > 1
