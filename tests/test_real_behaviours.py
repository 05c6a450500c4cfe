"""Behaviours of a real model: what was read by eye, and the script that audits them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import audit_samples
import pytest

import faultlens as fl
from faultlens.auditing.behaviour.outcomes import LogitRule, resolve_rule, right_answer

ROOT = Path(__file__).parents[1]
READINGS = ROOT / "benchmarks" / "results" / "real" / "behaviour_readings.json"
TASKS = ("sycophancy", "unanswerable", "over-refusal")


@pytest.fixture(scope="module")
def readings() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(READINGS.read_text("utf-8"))
    return found


@pytest.mark.parametrize("name", TASKS)
def test_the_rule_judges_what_was_read_as_it_is_written_down(
    name: str, readings: dict[str, Any]
) -> None:
    """Every prompt of the task was read; the rule differs from the reader where it is said to."""
    task = getattr(fl.tasks, name.replace("-", "_"))()
    _, rule = resolve_rule(task.rule)
    assert not isinstance(rule, LogitRule)
    rows = {row["prompt"]: row for row in readings[name]["replies"]}
    assert rows.keys() == {prompt.text for prompt in task.prompts} and len(rows) >= 100
    for prompt in task.prompts:
        row = rows[prompt.text]
        given = right_answer(prompt, row["reply"], rule)
        assert (given is not None) == row["rule"], row
    failures = sum(not row["rule"] for row in rows.values())
    assert 0.1 <= failures / len(rows) <= 0.9, "both outcomes occur often enough to be told apart"
    differ = sum(row["rule"] != row["reader"] for row in rows.values())
    assert differ <= 0.02 * len(rows)
    page = (ROOT / "docs" / "tasks.md").read_text("utf-8")
    assert f"| `{name}` | {failures} of {len(rows)} | {differ} |" in page


@pytest.fixture
def scripts(
    imported: Callable[[Path], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> tuple[ModuleType, ModuleType]:
    folder = ROOT / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))  # where their other parts lie
    page = imported(folder / "real_page" / "behaviours.py")
    return imported(folder / "real_behaviours.py"), page


def test_a_run_becomes_a_section(scripts: tuple[ModuleType, ModuleType]) -> None:
    script, page = scripts
    told = audit_samples.audit().to_dict() | {"processor_seconds": 61.25}
    one = script.behaviour("sycophancy", told, {"seed-0": told, "seed-1": told})
    one |= {"corpus": script.standing("sycophancy", None)}
    assert one["reading"]["replies_as_read"] == 0 and one["reading"]["read"] == 208
    assert [of["rank"] for of in one["seeds"]["seed-0"]["classes"]][:2] == [0, 1]
    text = "\n".join(page.section({"sycophancy": one}))
    assert f"{told['failures']} of {told['n']} fail" in text
    of_seed = f"Dictionaries of seed-0, classes changed ({told['failures']} of {told['n']} prompts"
    assert of_seed in text and "61 processor seconds" in text
    leading = one["seeds"]["seed-0"]["classes"][0]
    assert f"| {leading['features'][0]}" in text and leading["verdict"] in text
    assert "better than residual; at levels held out better than none of them" in text
    ahead = copy.deepcopy(one)
    ahead["differences"] = [
        {"first": "sae_all", "second": "factors", "difference": 0.1, "low": 0.02, "high": 0.2}
    ]
    ahead["left_out_differences"] = [ahead["differences"][0] | {"factor": "claim"}]
    told_ahead = "\n".join(page.section({"sycophancy": ahead}))
    assert "features foretell it better than factors; at levels held out better than" in told_ahead
    assert "| all features − factors | claim held out | +0.10 | [0.02, 0.20] |" in told_ahead


def test_prompts_that_stand_in_a_text_are_counted(
    scripts: tuple[ModuleType, ModuleType], tmp_path: Path
) -> None:
    script, _ = scripts
    texts = tmp_path / "texts.jsonl"
    asked = fl.tasks.over_refusal().prompts
    said = [asked[0].text.upper(), f"He said:\n{asked[1].text}  Then he left.", asked[2].text[:-1]]
    texts.write_text("".join(json.dumps({"text": text}) + "\n" for text in said), "utf-8")
    found = script.standing("over-refusal", texts)
    assert (found["prompts"], found["standing"]) == (len(asked), 2)
