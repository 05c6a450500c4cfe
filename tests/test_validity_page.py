"""The published score is what the bench measured, and neither page is stale."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from faultlens.testing import KINDS
from faultlens.testing.bench import rates_of
from faultlens.testing.planted_models.model_bench import model_rates
from faultlens.testing.planted_models.recipes import RECIPES

SCRIPT = Path(__file__).parents[1] / "docs" / "validity.py"
STALE = "run `python docs/validity.py`"


@pytest.fixture
def script(imported: Callable[[Path], ModuleType]) -> ModuleType:
    return imported(SCRIPT)


@pytest.fixture
def measured(script: ModuleType) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(script.RESULTS.read_text(encoding="utf-8"))
    return found


def test_the_page_and_its_figures_are_what_was_measured(
    script: ModuleType, measured: dict[str, Any]
) -> None:
    assert script.PAGE.read_text(encoding="utf-8") == script.page(measured), STALE
    for name, (chart, alt) in script.figures(measured).items():
        file = script.PAGE.with_name(f"{name}.svg")
        assert file.read_text(encoding="utf-8") == script.drawn(chart, alt), STALE


def test_the_table_of_the_readme_is_what_was_measured(
    script: ModuleType, measured: dict[str, Any]
) -> None:
    readme = script.README.read_text(encoding="utf-8")
    assert script.with_summary(readme, measured) == readme, STALE


def test_every_rate_is_that_of_the_scores_and_every_kind_is_there(
    measured: dict[str, Any],
) -> None:
    assert {case["case"]["kind"] for case in measured["cases"].values()} == set(KINDS)
    for name, case in measured["cases"].items():
        assert json.loads(json.dumps(rates_of(case["scores"]))) == measured["rates"][name], name


def test_every_planted_model_was_audited(measured: dict[str, Any]) -> None:
    assert set(measured["models"]) == set(RECIPES)
    assert json.loads(json.dumps(model_rates(measured["models"]))) == measured["model_rates"]
