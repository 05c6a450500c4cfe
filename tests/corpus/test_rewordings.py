"""Rewordings: how a file says a prompt in other words, and the task that they make."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faultlens.corpus.answers import read_answers
from faultlens.corpus.prompt import Prompt
from faultlens.corpus.rewordings import reworded
from faultlens.corpus.task import Task, read_task
from faultlens.errors import UserError

ROW = {"prompt": "Ann gave it to", "target": "Bob"}


def written(folder: Path, *rows: dict[str, Any]) -> Path:
    file = folder / "t.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return file


def test_a_text_or_a_list_of_them_under_any_name(tmp_path: Path) -> None:
    two = ["It went to", "Ann handed it to"]
    rows = [{**ROW, "rewordings": two}, {**ROW, "rewordings": "It went to"}, ROW]
    task = read_task(written(tmp_path, *rows))
    assert [p.rewordings for p in task.prompts] == [tuple(two), ("It went to",), ()]
    assert task.notes == ()
    other = [{("asked" if k == "rewordings" else k): v for k, v in row.items()} for row in rows]
    assert read_task(written(tmp_path, *other), "asked").prompts == task.prompts


def test_a_table_has_them_too_and_they_are_no_factor(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(
        'prompt,target,generated,day,again\na b,c,c,Mon,"[""b a"", ""a, b""]"\nd e,c,f,Tue,e d\n'
    )
    found = read_answers(file, rewordings="again").task
    assert [p.rewordings for p in found.prompts] == [("b a", "a, b"), ("e d",)]
    assert list(found.factors) == ["day"]


@pytest.mark.parametrize(
    ("row", "column", "message"),
    [
        (
            {**ROW, "rewordings": [1]}, None,
            "{} line 1: 'rewordings' is [1], expected the prompt in other words: a text, or a list "
            "of texts",
        ),
        (
            {**ROW, "rewordings": ["Ann gave it to"]}, None,
            "prompt 'Ann gave it to': a rewording is 'Ann gave it to', expected another text for "
            "the model to continue",
        ),
        (ROW, "again", '{} has no column "again", which is to hold rewordings'),
        (
            {**ROW, "again": "x", "rewordings": "y"}, "again",
            "{} has a column 'rewordings' beside \"again\": expected rewordings in one",
        ),
        (
            {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
             "target": "c", "rewordings": "d"}, None,
            "{} line 1 has 'rewordings', and its last message is the assistant's: expected a "
            "conversation that ends with the user's message, in whose place they are put",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_one_sentence(
    tmp_path: Path, row: dict[str, Any], column: str | None, message: str
) -> None:
    file = written(tmp_path, row)
    with pytest.raises(UserError) as caught:
        read_task(file, column)
    assert str(caught.value) == message.format(file)


def test_they_make_a_task_with_the_answers_of_their_prompts() -> None:
    first = Prompt("a b", "c", "d", {"day": "Mon"}, rewordings=("b a", "b, a"))
    task = Task("asked", (first, Prompt("e f", "c", None, {"day": "Tue"}), first), "contains")
    found = reworded(task)
    assert found is not None
    again, of = found
    assert (again.name, again.rule, of) == ("asked, reworded", "contains", [0, 0, 2, 2])
    assert again.prompts[1] == replace(first, text="b, a", rewordings=())
    assert reworded(again) is None


def test_without_them_a_task_is_the_one_it_was() -> None:
    plain = Task("asked", (Prompt("a b", "c"),))
    assert plain.digest == "d7f0188d85ddbdf47bfb19dde66c1ca5c32638b2d373ed4241058d8ef6dcb889"
    assert Task("asked", (Prompt("a b", "c", rewordings=("b a",)),)).digest != plain.digest
