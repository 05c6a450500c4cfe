"""The budget: what is free decides, up to what is useful, and a position is never refused."""

from __future__ import annotations

import pytest
import torch

from faultlens.features import budget
from faultlens.features.budget import TOKEN_BUDGET, free_on, token_budget
from faultlens.features.lens import Lens


@pytest.mark.parametrize(
    ("free", "expected"), [(None, TOKEN_BUDGET), (10**12, TOKEN_BUDGET), (1_536_000, 200), (1, 1)]
)
def test_the_budget_is_what_fits_into_a_quarter(
    lens: Lens, free: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A position: 16 x 16 + 3 x 64 of the block, 2 x 16 of the sites, 4 bytes each: 1,920."""
    monkeypatch.setattr(budget, "free_on", lambda device: free)
    assert token_budget(lens.model, lens.dictionaries) == expected


def test_what_is_free_depends_on_the_device() -> None:
    free = free_on(torch.device("cpu"))
    assert free is None or free > 10**6
    assert free_on(torch.device("meta")) is None
