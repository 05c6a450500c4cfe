"""The tutorials run, what they say holds, and their pages and notebooks are not stale."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "docs" / "tutorial_pages.py"


@pytest.fixture
def script(imported: Callable[[Path], ModuleType]) -> ModuleType:
    return imported(SCRIPT)


def run(script: ModuleType, name: str) -> tuple[dict[str, Any], list[Any]]:
    """A tutorial's names after its last cell, and what its cells show."""
    names: dict[str, Any] = {}
    outputs = script.run(script.cells(script.FOLDER / f"{name}.py"), names)
    return names, outputs


@pytest.mark.parametrize("name", ["profile", "audit", "log"])
def test_page_and_notebook_hold_the_tutorials_cells(script: ModuleType, name: str) -> None:
    tutorial = script.cells(script.FOLDER / f"{name}.py")
    stale = "stale: run `python docs/tutorial_pages.py`"
    written = (script.FOLDER / f"{name}.ipynb").read_text(encoding="utf-8")
    assert written == script.notebook(tutorial), stale
    assert [cell["cell_type"] for cell in json.loads(written)["cells"]][:2] == ["markdown", "code"]
    page, place = (script.FOLDER / f"{name}.md").read_text(encoding="utf-8"), 0
    for cell in tutorial:
        place = page.find(cell.source, place)
        assert place >= 0, f"{stale}\n{cell.source}"
        place += len(cell.source)


def test_the_profile_finds_a_feature_for_code(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    names, outputs = run(script, "profile")
    assert names["best"].p_holm <= 0.05
    assert "Which features go with which kind of text?" in "".join(out.html for out in outputs)
    shaded = [out.html for out in outputs if "background: rgba" in out.html]
    assert len(shaded) == 1 and names["best"].feature in shaded[0]


def test_the_audit_shows_that_the_object_causes_the_failures(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    names, outputs = run(script, "audit")
    worst, swap = names["worst"], names["swap"]
    assert worst.failures == worst.n > 5, "every prompt with the keys fails"
    assert swap.level == "the keys" and swap.failure_to_success == swap.failures_original
    assert names["leading"].p_deciding <= 0.05
    assert any("beyond" in out.printed and "controls" in out.printed for out in outputs)
    assert any("margin_after" in out.html for out in outputs), "the experiment's table"


def test_a_log_comes_to_a_verdict(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names, _ = run(script, "log")
    alone, audit = names["alone"], names["audit"]
    assert alone.failures == audit.failures > 5
    assert alone.sites == {} and audit.leading is not None
    assert audit.rescoring.reason is None, "this model gave the answers"
    assert audit.leading.intervention is not None, "its effect was tested"
