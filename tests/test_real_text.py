"""The text that real dictionaries are trained on: no passage holds a sentence of a task."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import faultlens as fl

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "real_text.py"
PLAIN = "They walked home along the river in the rain, and nobody gave the keys to anybody. " * 3


@pytest.fixture
def script(imported: Callable[[Path], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = imported(SCRIPT)
    monkeypatch.setattr(module, "TASK_PROMPTS", 20)
    monkeypatch.setattr(module, "TASK_SEEDS", (0,))
    return module


def test_a_sentence_of_a_task_is_found_whatever_its_case_and_breaks(script: ModuleType) -> None:
    openings = script.task_openings()
    for task in (fl.tasks.ioi(n=20, seed=0), fl.tasks.unanswerable(n=20, seed=0)):
        asked = max((prompt.text for prompt in task.prompts), key=len)
        assert script.holds_any(f"He wrote: {asked} Then it rained.", openings)
        assert script.holds_any(asked.upper().replace(" ", "\n "), openings)
        cut = re.split(r"(?<=[.?!])\s+", asked)[0].rsplit(" ", 2)[0]
        assert not script.holds_any(cut, openings), "a sentence that is not whole"
    assert not script.holds_any(PLAIN, openings)


def test_passages_with_one_are_left_out_and_counted(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = fl.tasks.ioi(n=20, seed=0).prompts[3].text
    rows = [
        {"text": PLAIN, "category": "bible"},
        {"text": PLAIN + asked + " him.", "category": "bible"},
        {"text": "Ä", "category": "fortunes"},
    ]
    monkeypatch.setattr(script, "unpacked", lambda scratch: scratch)
    monkeypatch.setattr(script, "composed", lambda root: rows)
    found = script.made(tmp_path, tmp_path / "texts.jsonl")
    assert found["passages_left_out"] == 1
    assert found["sources"]["bible"] == {"passages": 1, "bytes": len(PLAIN)}
    assert found["sources"]["fortunes"] == {"passages": 1, "bytes": 2}
    kept = [json.loads(line) for line in (tmp_path / "texts.jsonl").read_text().splitlines()]
    assert kept == [rows[0], rows[2]]
