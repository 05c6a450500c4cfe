"""`docs/performance.md` shows the results that lie in `benchmarks/results/`, and no others."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "performance.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("performance_page", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_was_measured(script: ModuleType) -> None:
    stale = "docs/performance.md is stale: run `python benchmarks/performance.py`"
    assert script.PAGE.read_text(encoding="utf-8") == script.whole(), stale
