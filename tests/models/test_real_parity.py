"""The referee of the study on real models, on tiny random ones: it passes, and it can fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from families import save_family

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def parity(imported: Callable[[Path], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = imported(BENCHMARKS / "real_parity.py")
    monkeypatch.setattr(module, "plain_ids", lambda folder: [3, 5, 2, 7, 1])
    return module


@pytest.mark.parametrize("family", ["llama", "gemma3_text"])
def test_sites_are_what_hooks_on_the_modules_give(
    parity: ModuleType, family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_family(family, tmp_path / family)
    found = parity.site_errors(folder)
    layers = len(found["largest_by_layer"]["resid_pre"])
    assert layers >= 2
    for errors in found["largest_by_layer"].values():
        assert len(errors) == layers
        assert max(errors) < 1e-5
    assert found["largest_logit_error"] < 1e-4
    attention, mlp = parity.MODULES[family]
    monkeypatch.setitem(parity.MODULES, family, (mlp, attention))
    swapped = parity.site_errors(folder)
    assert min(swapped["largest_by_layer"]["attn_out"]) > 0.1
