"""The budget: what is free decides, up to what is useful, and a position is never refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from faultlens.features import budget
from faultlens.features.budget import TOKEN_BUDGET, free_memory, token_budget
from faultlens.features.lens import Lens


@pytest.mark.parametrize(
    ("free", "expected"), [(None, TOKEN_BUDGET), (10**12, TOKEN_BUDGET), (1_536_000, 200), (1, 1)]
)
def test_the_budget_is_what_fits_into_a_quarter(
    lens: Lens, free: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A position: 16 x 16 + 3 x 64 of the block, 2 x 16 of the sites, 4 bytes each: 1,920."""
    monkeypatch.setattr(budget, "free_memory", lambda device: free)
    assert token_budget(lens.model, lens.dictionaries) == expected


def test_what_is_free_is_read_from_the_machine_and_from_the_container(tmp_path: Path) -> None:
    info = tmp_path / "meminfo"
    info.write_text("MemTotal: 100 kB\nMemFree: 1 kB\nMemAvailable: 70 kB\n")
    assert budget._of_machine(info) == 70 * 1024
    assert budget._of_machine(tmp_path / "none") is None
    assert budget._of_group(tmp_path) is None
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("1200\n")
    assert budget._of_group(tmp_path) == 3800
    (tmp_path / "memory.max").write_text("max\n")
    assert budget._of_group(tmp_path) is None
    free = free_memory(torch.device("cpu"))
    assert free is None or free > 10**6
    assert free_memory(torch.device("meta")) is None
