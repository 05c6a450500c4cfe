"""Behaviours of a real model: what was read by eye, and the script that audits them."""

from __future__ import annotations

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
    assert f"{told['failures']} of {told['n']} replies fail" in text
    assert "Of 208 replies read by eye the rule (`exact-word`) misjudges 3; 0 of the" in text
    of_seed = f"Dictionaries of seed-0, the first {told['n']} prompts ({told['failures']} fail)"
    assert of_seed in text and "(61 processor seconds)" in text
    leading = one["seeds"]["seed-0"]["classes"][0]
    assert f"| {leading['features'][0]}" in text and leading["verdict"] in text
    assert f"At equal {' and '.join(one['kept'])} " in text and one["kept"]


def differing(low: float, high: float, **more: str) -> dict[str, Any]:
    pair = {"first": "sae_all", "second": "factors", "difference": (low + high) / 2}
    return pair | {"low": low, "high": high} | more


def test_the_section_says_what_the_intervals_of_differences_say(
    scripts: tuple[ModuleType, ModuleType],
) -> None:
    script, page = scripts
    told = audit_samples.audit().to_dict() | {"processor_seconds": 61.25}
    one = script.behaviour("sycophancy", told, {}) | {"corpus": None}
    one |= {"differences": [differing(-0.1, 0.2)], "left_out_differences": []}
    nothing = "\n".join(page.section({"sycophancy": one}))
    assert "No interval of a difference between features and another rung excludes 0." in nothing
    one["left_out"] = [
        {"factor": factor, "rung": rung, "auroc": auroc, "low": auroc - 0.1, "high": auroc + 0.1}
        for factor, rung, auroc in (
            ("claim", "residual", 0.9), ("claim", "sae_all", 0.4), ("claim", "sae_top_k", 0.6),
            ("topic", "sae_all", 0.7),
        )
    ]  # fmt: skip
    hardest = "at levels of claim held out no rung of features exceeds 0.60 [0.50, 0.70]"
    assert hardest in page.in_short("sycophancy", one)
    assert "0 of 1 intervals exclude 0" in nothing and "The widest spans 0.30" in nothing
    one["differences"] = [differing(0.02, 0.2)]
    one["left_out_differences"] = [differing(-0.4, -0.1, factor="claim")]
    clear = "\n".join(page.section({"sycophancy": one}))
    assert (
        "features are ahead of factors (groups held out) and behind factors (claim held out)."
    ) in clear
    row = "| all features − factors | **+0.11 [0.02, 0.20]** | **-0.25 [-0.40, -0.10]** |"
    assert row in clear and "2 of 2 intervals exclude 0" in clear


def test_the_section_says_of_every_edit_what_it_did_and_cost(
    scripts: tuple[ModuleType, ModuleType],
) -> None:
    script, page = scripts
    told = audit_samples.audit().to_dict() | {"processor_seconds": 61.25}
    one = script.behaviour("sycophancy", told, {"seed-0": told}) | {"corpus": None}
    changed = [of for of in one["seeds"]["seed-0"]["classes"] if of["changed"] is not None]
    shown = [of for of in changed if page.is_shown(of["changed"])]
    assert len(changed) > len(shown) > 0, "the sample has both"
    shown[0]["changed"]["off_task"] = [{"text": "a book", "kl": 0.012, "control_kl": 0.003}]
    text = "\n".join(page.section({"sycophancy": one}))
    assert f"an effect is shown of {len(shown)} of {len(changed)}:" in text
    assert (
        f"Of {len(changed)} classes that were changed, an effect is shown of {len(shown)}" in text
    )
    assert "a book 0.012 nats (controls 0.003)" in text
    for of in changed:
        for name, should in (("necessity", "rise"), ("sufficiency", "fall")):
            side = of["changed"][name]
            if side is not None:
                within = "" if side["low"] is None else f" [{side['low']:.3f}, {side['high']:.3f}]"
                done = f"| {side['kind']} | {side['prompts']} {side['on']} | "
                assert f"{done}{side['adjusted']:+.3f}{within} (p" in text and f"| {should}" in text
    assert any(of["changed"]["sufficiency"] for of in changed), "the sample has both edits"


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
