"""What docs/calibration.md says of the controls is what was measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARK = Path(__file__).parent.parent / "benchmarks" / "control_pvalues.py"


@pytest.fixture
def benchmark(imported: Callable[[Path], ModuleType]) -> ModuleType:
    return imported(BENCHMARK)


def test_the_page_holds_the_table_of_the_measurement(benchmark: ModuleType) -> None:
    record = json.loads(benchmark.RESULTS.read_text(encoding="utf-8"))
    page = benchmark.PAGE.read_text(encoding="utf-8")
    stale = "docs/calibration.md is stale: run `python benchmarks/control_pvalues.py`"
    assert benchmark.table(record) in page, stale


def test_random_features_have_any_p_as_often_as_any_other(benchmark: ModuleType) -> None:
    record = json.loads(benchmark.RESULTS.read_text(encoding="utf-8"))
    assert len(record["dictionaries"]) == 2
    for found in record["dictionaries"].values():
        assert found["both"]["tests"] == 200
        assert found["both"]["p_ks"] > 0.05
