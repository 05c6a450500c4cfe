"""`docs/real_models.md` shows the results that lie in `benchmarks/results/`, and no others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "real_models.py"


@pytest.fixture
def script(imported: Callable[[Path], ModuleType]) -> ModuleType:
    return imported(SCRIPT)


@pytest.fixture
def record(script: ModuleType) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(script.RESULTS.read_text(encoding="utf-8"))
    return found


def test_the_page_is_what_the_results_make(script: ModuleType, record: dict[str, Any]) -> None:
    stale = "docs/real_models.md is stale: run `python benchmarks/real_models.py`"
    assert script.PAGE.read_text(encoding="utf-8") == script.page(record), stale


def test_the_page_follows_the_results(script: ModuleType, record: dict[str, Any]) -> None:
    record["models"]["gemma-3-270m"]["audit"]["right_by_object"]["the keys"] = "9 of 22"
    assert "| 9 of 22 |" in script.page(record)


def test_what_the_study_published_is_found_again_on_gemma(record: dict[str, Any]) -> None:
    audit = record["models"]["gemma-3-270m"]["audit"]
    counts = {name: [int(n) for n in said.split(" of ")] for name, said in
              audit["right_by_object"].items()}  # fmt: skip
    failures = {name: of - right for name, (right, of) in counts.items()}
    assert (failures.pop("the keys"), counts["the keys"][1]) == (16, 22)
    assert sum(failures.values()) == 2
    assert audit["swaps"][0]["mended"] == "16 of 16"
