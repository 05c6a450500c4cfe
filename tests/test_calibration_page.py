"""What docs/calibration.md says of the controls is what was measured."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARK = Path(__file__).parent.parent / "benchmarks" / "control_pvalues.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("control_pvalues", BENCHMARK)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


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
