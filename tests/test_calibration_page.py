"""What docs/calibration.md says of the controls is what was measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARK = Path(__file__).parent.parent / "benchmarks" / "control_pvalues.py"


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script finds those that lie beside it."""
    monkeypatch.syspath_prepend(str(BENCHMARK.parent))


@pytest.fixture
def benchmark(imported: Callable[[Path], ModuleType]) -> ModuleType:
    return imported(BENCHMARK)


def test_the_page_holds_the_table_of_the_measurement(benchmark: ModuleType) -> None:
    record = json.loads(benchmark.RESULTS.read_text(encoding="utf-8"))
    page = benchmark.PAGE.read_text(encoding="utf-8")
    stale = "docs/calibration.md is stale: run `python benchmarks/control_pvalues.py`"
    assert benchmark.table(record) in page, stale


def test_the_page_holds_the_table_of_the_ladder_on_noise(
    imported: Callable[[Path], ModuleType],
) -> None:
    script = imported(BENCHMARK.with_name("calibration_ladder.py"))
    page = script.PAGE.read_text(encoding="utf-8")
    stale = "docs/calibration.md is stale: run `python benchmarks/calibration_ladder.py --table`"
    assert script.with_table(page, script.seeds_of(script.RESULTS)) == page, stale


def test_on_noise_every_rung_is_a_half_and_its_intervals_cover_it(
    imported: Callable[[Path], ModuleType],
) -> None:
    script = imported(BENCHMARK.with_name("calibration_ladder.py"))
    lines = list(script.seeds_of(script.RESULTS))
    assert len({line["seed"] for line in lines}) == len(lines) >= 200
    for rung in (
        "factors",
        "bag_of_tokens",
        "residual",
        "random_dictionary",
        "sae_top_k",
        "sae_all",
    ):
        auroc = np.array([line[rung][0] for line in lines])
        assert abs(auroc.mean() - 0.5) <= 0.01, rung
        assert np.mean([line[rung][1] <= 0.5 <= line[rung][2] for line in lines]) >= 0.92, rung
    assert min(line["leak"][0] for line in lines) > 0.7


def test_random_features_have_any_p_as_often_as_any_other(benchmark: ModuleType) -> None:
    record = json.loads(benchmark.RESULTS.read_text(encoding="utf-8"))
    assert len({found["model"] for found in record["dictionaries"].values()}) >= 2
    for name, found in record["dictionaries"].items():
        assert found["both"]["tests"] == 200, f"{name}: not whole, run the benchmark again"
        assert found["both"]["p_ks"] > 0.05, name
        if "p" in found:  # older results keep the summary alone
            for family in benchmark.FAMILIES:
                assert benchmark.spread(np.array(found["p"][family])) == found[family], name


def test_the_page_holds_the_table_of_prompts_that_fill_forms(
    imported: Callable[[Path], ModuleType],
) -> None:
    script = imported(BENCHMARK.with_name("calibration_groups.py"))
    lines = list(script.seeds_of(script.RESULTS))
    page = script.PAGE.read_text(encoding="utf-8")
    stale = "docs/calibration.md is stale: run `python benchmarks/calibration_groups.py --table`"
    assert script.with_table(page, lines) == page, stale
    kept = {name: [line["by group"] for line in lines if line["design"] == name]
            for name in script.DESIGNS}  # fmt: skip
    for found in kept.values():
        assert len(found) >= 100
        assert np.mean(found) <= 0.1, "above .05 by more than chance allows (99 %, 100 sets)"
    grouped = {line["design"]: line["groups"] for line in lines}
    assert list(grouped.values())[:4] == [26, 24, 1, 24]
