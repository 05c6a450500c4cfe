"""Instances of every-eval-ever, by the fields of its schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faultlens.corpus.answers import read_answers
from faultlens.corpus.tasks import mini_ioi
from faultlens.errors import UserError


def instance(i: int, **change: Any) -> dict[str, Any]:
    """As schema version 0.3 has it."""
    row: dict[str, Any] = {
        "schema_version": "0.3.0", "evaluation_id": "capitals/m/1", "model_id": "owner/m",
        "evaluation_name": "capitals", "evaluation_result_id": None, "sample_id": f"s{i}",
        "interaction_type": "single_turn",
        "input": {"raw": f"{i}: the capital of France is", "formatted": None,
                  "reference": ["Paris", "paris"], "choices": None},
        "output": {"raw": [" Paris." if i % 2 else " Lyon."]}, "messages": None,
        "answer_attribution": [], "evaluation": {"score": float(i % 2), "is_correct": i % 2 == 1},
        "error": None, "metadata": {"region": "west", "length": str(i)},
    }  # fmt: skip
    return {**row, **change}


REFERENCES = Path(__file__).with_name("references")
"""Instances that every-eval-ever 0.3.0's own converters wrote, of `make_logs.py`'s logs.

Its models accept them. The package asks for Python 3.12, so that it cannot stand beside ours.
"""


def test_what_its_own_converters_write() -> None:
    """Of lm-eval's and inspect_ai's logs: the same outcomes, and nothing of the run as a factor."""
    choice = REFERENCES / "every_eval_ever_choice.jsonl"
    assert refusal(lambda: read_answers(choice)).endswith(
        "has 4 results, acc, acc_norm, acc_bytes, acc_mutual_info: choose one with --scorer"
    )
    answers = read_answers(choice, scorer="acc")
    prompts = mini_ioi(n=60).prompts[:12]
    assert [p.text for p in answers.task.prompts] == [p.text for p in prompts]
    assert [p.target for p in answers.task.prompts] == [p.target for p in prompts]
    assert answers.task.factors == {}, "hashes, filters and metrics describe no prompt"
    rows = [json.loads(line) for line in choice.read_text().splitlines()]
    right = [
        row["evaluation"]["is_correct"] for row in rows if row["evaluation_result_id"] == "acc"
    ]
    assert answers.success == tuple(right) and {True, False} == set(right)
    filtered = read_answers(
        REFERENCES / "every_eval_ever_generation.jsonl", scorer="exact_match:first-word"
    )
    assert filtered.generated[0] == "the" and filtered.task.factors == {}
    inspect = read_answers(REFERENCES / "every_eval_ever_inspect.jsonl")
    assert [p.text for p in inspect.task.prompts] == [p.text for p in prompts]
    assert inspect.task.factors == {} and inspect.success is not None
    assert inspect.source is not None and inspect.source.decided_by == "result match:accuracy"


def write(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "instances.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def refusal(read: Callable[[], Any]) -> str:
    with pytest.raises(UserError) as refused:
        read()
    return str(refused.value)


def test_instances_are_read_by_their_fields(tmp_path: Path) -> None:
    answers = read_answers(write(tmp_path, [instance(i) for i in range(4)]))
    assert [p.text for p in answers.task.prompts] == [
        f"{i}: the capital of France is" for i in range(4)
    ]
    assert {p.answers for p in answers.task.prompts} == {("Paris", "paris")}
    assert {p.separator for p in answers.task.prompts} == {" "}
    assert answers.success == (False, True, False, True)
    assert answers.generated == (" Lyon.", " Paris.", " Lyon.", " Paris.")
    assert answers.task.factors == {"region": ["west"] * 4, "length": ["0", "1", "2", "3"]}
    assert answers.source is not None
    assert (answers.source.format, answers.source.model) == ("every-eval-ever 0.3.0", "owner/m")
    assert answers.task.name == "capitals"
    named = read_answers(write(tmp_path, [instance(i) for i in range(4)]), ["region"])
    assert list(named.task.factors) == ["region"]


def test_what_the_model_saw_is_preferred_to_what_the_evaluation_had(tmp_path: Path) -> None:
    given = {**instance(0)["input"], "formatted": "<user>The capital?<assistant>"}
    (prompt,) = read_answers(write(tmp_path, [instance(0, input=given)])).task.prompts
    assert prompt.text == "<user>The capital?<assistant>"


def test_a_reference_that_is_an_index_is_the_choice(tmp_path: Path) -> None:
    """As its converter of lm-eval writes it."""
    given = {"raw": "The capital is", "reference": ["1"], "choices": ["Lyon", "Paris"]}
    row = instance(0, input=given, output={"raw": ["Lyon"]})
    answers = read_answers(write(tmp_path, [row]))
    (prompt,) = answers.task.prompts
    assert (prompt.target, prompt.foil) == ("Paris", "Lyon")
    assert answers.kinds == ("chose another option",)
    digits = {"raw": "2 + 2 =", "reference": ["1"], "choices": ["4", "1"]}
    (prompt,) = read_answers(write(tmp_path, [instance(1, input=digits)])).task.prompts
    assert prompt.target == "1", "a choice that is this very text is meant first"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"error": "timeout"}, "ended in an error"),
        ({"interaction_type": "multi_turn", "output": None, "messages": []},
         "of the kind multi_turn, not of a single turn"),
        ({"interaction_type": "agentic"}, "of the kind agentic, not of a single turn"),
        ({"output": {"raw": []}}, "without an answer of the model"),
        ({"input": {"raw": "x", "reference": []}}, "without a reference answer"),
    ],
)  # fmt: skip
def test_what_cannot_be_audited_is_left_out_with_its_reason(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    path = write(tmp_path, [instance(0), instance(1), instance(2, **change)])
    answers = read_answers(path)
    assert answers.source is not None
    assert (len(answers), answers.source.left_out) == (2, {reason: 1})
    alone = write(tmp_path, [instance(2, **change)])
    assert refusal(lambda: read_answers(alone)) == (
        f"{path} holds no sample that can be audited: 1 {reason}"
    )


def test_of_several_results_one_is_chosen(tmp_path: Path) -> None:
    rows = [instance(i, evaluation_result_id=name) for i in range(4) for name in ("acc", "f1")]
    path = write(tmp_path, rows)
    assert refusal(lambda: read_answers(path)) == (
        f"{path} has 2 results, acc, f1: choose one with --scorer"
    )
    assert len(read_answers(path, scorer="f1")) == 4


def test_scores_decide_where_a_threshold_is_given(tmp_path: Path) -> None:
    rows = [instance(i, evaluation={"score": i / 4, "is_correct": i == 3}) for i in range(4)]
    path = write(tmp_path, rows)
    assert read_answers(path).success == (False, False, False, True)
    assert read_answers(path, threshold=0.5).success == (False, False, True, True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"evaluation": {"score": 1.0}}, "'evaluation.is_correct' is null, expected true or false"),
        ({"input": {"raw": " ", "reference": ["x"]}}, "'input.raw' is \" \", expected the prompt"),
    ],
)
def test_a_line_that_is_not_of_the_schema_is_named(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    path = write(tmp_path, [instance(0), instance(1, **change)])
    assert refusal(lambda: read_answers(path)) == f"{path} line 2: {said}"


def test_the_aggregate_is_told_from_its_instances(tmp_path: Path) -> None:
    path = tmp_path / "aggregate.json"
    path.write_text(json.dumps(
        {"schema_version": "0.3.0", "evaluation_id": "a", "evaluation_results": []}, indent=2
    ))  # fmt: skip
    assert refusal(lambda: read_answers(path)) == (
        f"{path} holds an aggregate of every-eval-ever: expected the JSONL of its instances beside "
        "it"
    )


def test_a_table_takes_no_option_of_a_log(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    path.write_text(json.dumps({"prompt": "p", "target": "t", "generated": "x"}))
    for option, value in (("scorer", "acc"), ("filter", "x"), ("epoch", 2), ("threshold", 0.5)):
        said = refusal(lambda option=option, value=value: read_answers(path, **{option: value}))
        assert said == (
            f"{option} {value} goes with an evaluation log, and {path} is none: it is read as a "
            "table of outcomes"
        )
    with pytest.raises(UserError, match="threshold nan: expected a number"):
        read_answers(path, threshold=float("nan"))
