"""`faultlens outcomes`: what is understood of a file is said before anything is run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., tuple[int, str, str]]


def sample(i: int, **change: Any) -> dict[str, Any]:
    """As inspect_ai writes one."""
    row = {
        "id": i, "epoch": 1, "input": "?", "target": "Ann",
        "messages": [
            {"role": "user", "content": f"{i}: who got it?", "source": "input"},
            {"role": "assistant", "content": "Ann." if i % 3 else "It was Bob."},
        ],
        "scores": {"match": {"value": "C" if i % 3 else "I"}},
        "metadata": {"thing": ["keys", "book"][i % 2], "n": i},
    }  # fmt: skip
    return {**row, **change}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    samples = [sample(i) for i in range(12)]
    samples[4] = sample(4, error={"message": "x"})
    samples[5]["metadata"]["seen"] = True
    path = tmp_path / "log.json"
    path.write_text(json.dumps({
        "version": 2, "status": "success",
        "eval": {"task": "who", "model": "hf/mini", "packages": {"inspect_ai": "0.3.285"}},
        "samples": samples,
    }))  # fmt: skip
    return path


def test_a_log_is_said_in_a_few_lines(run: Run, log: Path) -> None:
    code, out, err = run("outcomes", log, "--factors", "thing")
    assert code == 0
    assert out == (
        f"{log}: inspect_ai 0.3.285, task who, model hf/mini\n"
        "  11 prompts, 4 failures (36.4%), by scorer match\n"
        "  Left out of 12 samples: 1 ended in an error\n"
        "  Failures: 4 pronoun\n"
        "  Factors: thing (book 6, keys 5)\n"
        "  Further columns that can be factors (--factors): n, seen\n"
        "  Foils: 0 of 11; log-likelihood differences: 0 of 11\n"
        "  Prompts are conversations: a model reads them through its chat template\n"
        "  First failure: prompt '0: who got it?', target 'Ann', answer 'It was Bob.', pronoun\n"
        "  First success: prompt '1: who got it?', target 'Ann', answer 'Ann.', success\n"
    )
    assert err == ("warning: seen: not in the metadata of every sample, hence no factors\n")


def test_the_same_as_json(run: Run, log: Path) -> None:
    code, out, _ = run("outcomes", log, "--factors", "thing", "--json")
    found = json.loads(out)
    assert code == 0
    assert found.pop("digest")
    assert found.pop("source") == {
        "format": "inspect_ai 0.3.285", "task": "who", "model": "hf/mini",
        "decided_by": "scorer match", "samples": 12, "left_out": {"ended in an error": 1},
        "columns": ["thing", "n", "seen"], "adds_bos": None,
    }  # fmt: skip
    assert found == {
        "name": "who", "rule": "given", "n": 11, "failures": 4,
        "outcome_kinds": {"success": 7, "pronoun": 4},
        "factors": {"thing": {"keys": 5, "book": 6}}, "foils": 0, "differences": 0,
        "conversations": True,
        "notes": ["seen: not in the metadata of every sample, hence no factors"],
    }  # fmt: skip


def test_a_table_is_said_too_and_another_rule_can_be_tried(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"prompt": f"p {i}", "target": "Ann", "foil": "Bob", "generated": " it is Ann",
             "thing": "a" * 30} for i in range(4)]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, rows)))
    code, out, err = run("outcomes", path)
    assert (code, err) == (0, "")
    assert out == (
        f"{path}: a table of outcomes\n"
        "  4 prompts, 4 failures (100.0%), by rule exact-word\n"
        "  Failures: 4 names the target later\n"
        f"  Factors: thing (…{'a' * 19} 4)\n"
        "  Foils: 4 of 4; log-likelihood differences: 0 of 4\n"
        "  First failure: prompt 'p 0', target 'Ann', answer ' it is Ann', names the target later\n"
    )
    code, out, _ = run("outcomes", path, "--rule", "contains")
    assert "4 prompts, 0 failures (0.0%), by rule contains" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scorer", "judge"], "faultlens: {log} has no scorer 'judge': it has match\n"),
        (["--factors", "place"], "faultlens: {log} sample 0 has no column 'place' to be a factor: "
         "it has thing, n\n"),
        (["--epoch", "0"], "faultlens: epoch '0': expected a number from 1, or majority\n"),
        (["--threshold", "x"], "faultlens: --threshold 'x': expected a number\n"),
        (["--rule", "vibes"], "faultlens: unknown outcome rule 'vibes': expected one of "
         "exact-word, first-token, named-later, contains, target-over-foil, target-likeliest\n"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(run: Run, log: Path, arguments: list[str], said: str) -> None:
    assert run("outcomes", log, *arguments) == (2, "", said.format(log=log))


def test_an_audit_reads_a_log_in_the_same_way(run: Run, log: Path) -> None:
    code, out, err = run("audit", "--outcomes", log, "--no-baselines", "--json")
    data = json.loads(out)
    assert code == 0
    assert (data["task"], data["n"], data["failures"], data["rule"]) == ("who", 11, 4, "given")
    assert data["outcome_kinds"] == {"success": 7, "pronoun": 4}
    assert "warning: seen: not in the metadata of every sample, hence no factors" in err
    code, _, err = run("audit", "mini-ioi", "--scorer", "match")
    assert (code, err) == (
        2, "faultlens: --scorer goes with --outcomes: a task that is run is read by itself\n",
    )  # fmt: skip
