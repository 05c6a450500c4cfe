"""`docs/performance.md` shows the results that lie in `benchmarks/results/`, and no others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "performance.py"


@pytest.fixture
def script(imported: Callable[[Path], ModuleType]) -> ModuleType:
    return imported(SCRIPT)


def test_the_page_is_what_was_measured(script: ModuleType) -> None:
    stale = "docs/performance.md is stale: run `python benchmarks/performance.py`"
    assert script.PAGE.read_text(encoding="utf-8") == script.whole(), stale
