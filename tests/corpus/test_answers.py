"""Answers: four formats and a frame give the same, and what is broken is named with its row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from faultlens.corpus.answers import Answers, read_answers
from faultlens.corpus.task import Prompt, Task
from faultlens.errors import UserError

ROW = {"prompt": "Bob gave the keys to", "target": "Ann", "generated": " Bob"}
ROWS: list[dict[str, Any]] = [
    {**ROW, "foil": "Bob", "success": False, "object": "the keys", "length": 5},
    {**ROW, "prompt": "Bob gave a pen, “blue”,\nto", "generated": "", "success": False,
     "object": "ein Füller 🖊", "length": 6},
    {**ROW, "prompt": "Ann", "target": "Bo\u2028b", "generated": " A\x0cnn\x85", "success": True,
     "object": "the keys", "length": 1},
]  # fmt: skip


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".parquet":
        pd.DataFrame(rows).to_parquet(path)
    else:
        pd.DataFrame(rows).to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return path


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tsv", "parquet"])
def test_every_format_gives_the_same_answers(tmp_path: Path, suffix: str) -> None:
    """Also line separators inside cells, an empty continuation, and a foil that only one has."""
    answers = read_answers(write(tmp_path / f"rows.{suffix}", ROWS))
    assert answers.generated == (" Bob", "", " A\x0cnn\x85")
    assert answers.success == (False, False, True)
    assert [prompt.foil for prompt in answers.task.prompts] == ["Bob", None, None]
    assert [prompt.text for prompt in answers.task.prompts] == [row["prompt"] for row in ROWS]
    assert answers.task.factors == {
        "object": ["the keys", "ein Füller 🖊", "the keys"],
        "length": ["5", "6", "1"],
    }
    assert answers == read_answers(write(tmp_path / "rows.jsonl", ROWS))
    assert len(answers.digest) == 64


def test_a_frame_gives_the_same_answers(tmp_path: Path) -> None:
    frame = pd.DataFrame(ROWS)
    read = read_answers(write(tmp_path / "outcomes.jsonl", ROWS))
    assert Answers.from_records(frame.to_dict("records")) == read
    assert Answers.from_records(frame.convert_dtypes().to_dict("records")) == read, "pandas's NA"
    boxed = [{**row, "success": np.bool_(row["success"]), "length": np.int64(row["length"])}
             for row in ROWS]  # fmt: skip
    assert Answers.from_records(boxed) == read


def test_null_is_absent_in_jsonl_as_elsewhere(tmp_path: Path) -> None:
    bare = [{**ROW, "object": "a"}] * 2
    nulls = [{**row, "foil": None, "success": None, "factors": None} for row in bare]
    read = read_answers(write(tmp_path / "a.jsonl", nulls))
    assert read == read_answers(write(tmp_path / "a.csv", bare))
    assert read.success is None
    nan = [{**row, "success": float("nan")} for row in bare]
    assert read_answers(write(tmp_path / "a.jsonl", nan)) == read


def test_a_frames_index_is_no_factor(tmp_path: Path) -> None:
    frame = pd.DataFrame([{**ROW, "object": "a"}] * 3).iloc[[0, 2]]
    frame.to_csv(tmp_path / "a.csv")
    frame.to_parquet(tmp_path / "a.parquet")
    for name in ("a.csv", "a.parquet"):
        assert list(read_answers(tmp_path / name).task.factors) == ["object"]


def test_factors_are_nested_or_flat_or_those_that_are_named(tmp_path: Path) -> None:
    flat = {**ROW, "object": "a", "id": 1}
    nested = {**ROW, "id": 1, "factors": {"object": "a", "right": True, "share": 0.5}}

    def factors(row: dict[str, Any], names: list[str] | None = None) -> dict[str, list[str]]:
        return read_answers(write(tmp_path / "a.jsonl", [row]), names).task.factors

    assert factors(flat) == {"object": ["a"], "id": ["1"]}
    assert factors(flat, ["object"]) == {"object": ["a"]}
    assert factors(nested) == {"object": ["a"], "right": ["True"], "share": ["0.5"]}
    assert factors(nested, ["id", "object"]) == {"id": ["1"], "object": ["a"]}
    cell = json.dumps({"object": "a"})
    (tmp_path / "a.csv").write_text(
        f'prompt,target,generated,factors\np,Ann,x,"{cell.replace(chr(34), chr(34) * 2)}"\n'
    )
    assert read_answers(tmp_path / "a.csv").task.factors == {"object": ["a"]}


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_further_answers_may_be_accepted(tmp_path: Path, suffix: str) -> None:
    rows = [{**ROW, "object": "a", "accepted": ["Anna", " Annie "]}] * 2
    if suffix == "csv":
        rows = [{**row, "accepted": json.dumps(row["accepted"])} for row in rows]
    answers = read_answers(write(tmp_path / f"a.{suffix}", rows))
    assert [p.accepted for p in answers.task.prompts] == [("Anna", "Annie")] * 2
    assert list(answers.task.factors) == ["object"]
    with pytest.raises(UserError, match='record 1: target and foil are both "Anna"'):
        Answers.from_records([{**ROW, "foil": "Anna", "accepted": np.array(["Anna"])}])
    with pytest.raises(UserError, match="'accepted' is \"Anna\", expected a list of texts"):
        Answers.from_records([{**ROW, "accepted": "Anna"}])


def test_a_column_misspelt_is_no_factor() -> None:
    for name in ("Success", "sucess", "foils", "Factors"):
        with pytest.raises(UserError, match=f"record 1 has no '.*' but '{name}', which seems to"):
            Answers.from_records([{**ROW, name: "1"}])
    named = Answers.from_records([{**ROW, "foils": "1"}], factors=["foils"])
    assert named.task.factors == {"foils": ["1"]}


@pytest.mark.parametrize(
    ("value", "success"),
    [(True, True), (0, False), (1.0, True), ("False", False), (" YES ", True), ("0.0", False)],
)
def test_success_is_read_however_it_was_written(value: Any, success: bool) -> None:
    assert Answers.from_records([{**ROW, "success": value}]).success == (success,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"success": "failed"}, "record 2: 'success' is \"failed\", expected true or false (or 1 "
         "or 0); leave the column out to have it decided from 'generated'"),
        ({"success": 2}, "record 2: 'success' is 2, expected true or false"),
        ({"success": None}, "record 2 has no 'success', but other rows have: give it in all or in "
         "none"),
        ({"prompt": None}, "record 2 has no 'prompt': it has 'target', 'generated', 'success', "
         "'a'"),
        ({"prompt": " "}, "record 2: 'prompt' is \" \", expected a text that is not empty"),
        ({"target": None}, "record 2 has no 'target'"),
        ({"target": 7}, "record 2: 'target' is 7, expected a text that is not empty"),
        ({"foil": " Ann"}, "record 2: target and foil are both \"Ann\""),
        ({"generated": 3}, "record 2: 'generated' is 3, expected a text"),
        ({"generated": "\ud800"}, "record 2: 'generated' holds half of a character (a lone "
         "surrogate) at 0"),
        ({"a": "x\udfff"}, "record 2: 'a' holds half of a character (a lone surrogate) at 1"),
        ({"b": 1}, "record 2 has the factors a, b, the first row a: expected the same in every "
         "row"),
        ({"a": [1]}, "record 2: factor 'a' is [1], expected a word or a number"),
        ({"a": float("inf")}, "record 2: factor 'a' is Infinity, expected a word or a number"),
        ({"factors": "object=keys"}, "record 2: 'factors' is \"object=keys\", expected an object"),
        ({"factors": "[" * 100_000}, "record 2: 'factors' is \"[[[["),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_meant_is_named(change: dict[str, Any], message: str) -> None:
    good = {**ROW, "success": True, "a": "x"}
    with pytest.raises(UserError) as refused:
        Answers.from_records([good, {**good, **change}])
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_what_is_missing_altogether_is_said() -> None:
    bare = {"prompt": "p", "target": "t"}
    with pytest.raises(UserError, match="record 1 has neither 'generated' nor 'success'"):
        Answers.from_records([bare])
    with pytest.raises(UserError, match="outcomes holds no prompts: expected at least one row"):
        Answers.from_records([])
    with pytest.raises(UserError, match="record 1 has no factor 'place': it has object"):
        Answers.from_records([{**ROW, "object": "a"}], factors=["place"])


def test_columns_that_do_not_fit_the_task_are_refused() -> None:
    task = Task("t", (Prompt("p", "Ann"), Prompt("q", "Bob")))
    with pytest.raises(UserError, match="1 values of generated for 2 prompts: expected one a"):
        Answers(task, ("a",))
    with pytest.raises(UserError, match="3 values of success for 2 prompts"):
        Answers(task, ("a", "b"), (True, False, True))
    with pytest.raises(UserError, match="prompt 2 has neither 'generated' nor 'success'"):
        Answers(task, ("a", None))
