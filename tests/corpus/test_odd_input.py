"""Odd and hostile files: one sentence each, and nothing that cannot be written passes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

import faultlens as fl
from faultlens.corpus.answers import Answers, read_answers
from faultlens.corpus.records import MOST_CHARACTERS, shown
from faultlens.corpus.task import MOST_PROMPTS, make_task, read_task
from faultlens.corpus.texts import read_corpus, read_texts
from faultlens.errors import UserError

ROW = {"prompt": "p", "target": "Ann", "generated": " Ann"}
LONE = "\ud83d"


def sentence(read: Callable[[], Any]) -> str:
    with pytest.raises(UserError) as refused:
        read()
    text = str(refused.value)
    assert "\n" not in text
    text.encode()  # it can be printed
    return text


READERS = [read_answers, read_task, read_corpus, read_texts]


@pytest.mark.parametrize("read", READERS)
def test_a_name_that_no_file_can_have_is_no_file(read: Callable[[Path], Any]) -> None:
    for name in ("a" * 300, "a" * 300 + ".jsonl", "x\0y.jsonl", os.fsdecode(b"\xff.jsonl")):
        said = sentence(lambda name=name: read(Path(name)))
        assert said.startswith("no file ") and "expected a JSONL file" in said


def test_a_file_named_in_other_bytes_than_utf8_is_read(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.jsonl")
    path.write_text(json.dumps(ROW))
    answers = read_answers(path)
    assert answers.task.name == "caf\\udce9"
    json.dumps(fl.audit(None, answers, baselines=False).to_dict(), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"accepted": [f"A{LONE}"]}, "record 1: 'accepted' holds half of a character (a lone "
         "surrogate) at 1"),
        ({"factors": {f"f{LONE}": "a"}}, "record 1: 'factors' holds half of a character (a lone "
         "surrogate) at 1"),
        ({"factors": {"f": LONE}}, "record 1: 'f' holds half of a character (a lone surrogate) at "
         "0"),
        ({"success": LONE}, "record 1: 'success' is \"\\ud83d\", expected true or false (or 1 or "
         "0); leave the column out to have it decided from 'generated'"),
        ({"success": "²"}, "record 1: 'success' is \"²\", expected true or false (or 1 or 0); "
         "leave the column out to have it decided from 'generated'"),
        ({"success": 10**400}, "record 1: 'success' is 100000000000000000000000000000"),
        ({"separator": [1]}, "record 1: 'separator' is [1], expected \" \", or \"\" where the "
         "answer follows the prompt directly"),
        ({"accepted": {"a": 1}}, "record 1: 'accepted' is {\"a\": 1}, expected a list of texts "
         "that are not empty"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_said(change: dict[str, Any], said: str) -> None:
    assert sentence(lambda: Answers.from_records([{**ROW, **change}])).startswith(said)


def test_columns_with_names_that_no_file_can_hold_are_escaped(tmp_path: Path) -> None:
    row = {**ROW, "factors": {}, f"x{LONE}": 1}
    notes = Answers.from_records([row]).task.notes
    assert notes[0].startswith("x\\ud83d: nothing is made of these columns")
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"prompt": "p", "target": "t", f"x{LONE}": 1}))
    assert read_task(path).notes[0].startswith("x\\ud83d: nothing is made")


@pytest.mark.parametrize("depth", [50, 900, 100_000])
def test_json_nested_ever_so_deep_is_one_sentence(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "deep.jsonl"
    path.write_text('{"prompt": "p", "target": "t", "factors": ' + "[" * depth + "]" * depth + "}")
    for read in READERS:
        assert str(path) in sentence(lambda read=read: read(path))
    assert len(shown(json.loads("[" * 40 + "]" * 40))) <= 40


def test_a_value_that_holds_itself_is_shown() -> None:
    value: list[Any] = []
    value.append(value)
    assert shown(value) == "list nested too deeply to show"


def test_numbers_too_large_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"prompt": "p", "target": "t", "factors": {"f": 1' + "0" * 5000 + "}}")
    assert "is not JSON (Exceeds the limit" in sentence(lambda: read_task(path))
    path.write_text('{"prompt": "p", "target": "t", "factors": {"f": 1' + "0" * 400 + "}}")
    assert "'f' is a number of more than 300 digits" in sentence(lambda: read_task(path))
    path.write_text('{"prompt": "p", "target": "t", "factors": {"f": 1e999}}')
    assert "'f' is Infinity, expected a word or a number" in sentence(lambda: read_task(path))
    assert sentence(lambda: make_task("ioi", 10**30)) == (
        f"task ioi: n is {10**30}, expected at most {MOST_PROMPTS:,}"
    )


def test_parquet_of_which_two_columns_have_one_name_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    column = pyarrow.array(["a", "b"])
    pyarrow.parquet.write_table(pyarrow.table([column, column], names=["text", "text"]), path)
    for read in READERS:
        said = sentence(lambda read=read: read(path))
        assert said == f"{path}: two columns have one name: text, text"


def test_parquet_that_holds_no_utf8_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    raw = pyarrow.array([b"a\xff"], pyarrow.binary())
    text = pyarrow.Array.from_buffers(pyarrow.string(), 1, raw.buffers())
    pyarrow.parquet.write_table(pyarrow.table({"prompt": text, "target": text}), path)
    for read in READERS:
        said = sentence(lambda read=read: read(path))
        assert said.startswith(f"{path} cannot be read as Parquet: ")


def test_dates_that_no_calendar_has_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    day = pyarrow.array([2**62], pyarrow.timestamp("us"))
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a"], "category": day}), path)
    assert "cannot be read as Parquet" in sentence(lambda: read_corpus(path))


def test_a_cell_longer_than_the_csv_reader_s_own_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    prompt = "word " * 40_000
    path.write_text(f"prompt,target,generated\n{prompt},Ann,x\n")
    assert len(read_answers(path).task.prompts[0].text) == len(prompt)
    assert MOST_CHARACTERS > 10**9


def test_folders_that_cannot_be_looked_into_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine" / "A").mkdir(parents=True)
    (tmp_path / "mine" / "A" / "x").write_text("text")
    shut = tmp_path / "mine" / "A" / "shut"
    shut.mkdir()
    looked = Path.iterdir

    def iterdir(path: Path) -> Any:
        if path == shut:
            raise PermissionError(13, "Permission denied", str(path))
        return looked(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)  # a superuser may look into every folder
    assert sentence(lambda: read_corpus(tmp_path / "mine")) == (
        f"folder {shut} cannot be read: Permission denied"
    )

    def is_file(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", is_file)
    assert sentence(lambda: read_task(tmp_path / "t.jsonl")).startswith("no file ")


@pytest.mark.parametrize("name", ["correct", "is_correct"])
def test_the_outcome_under_another_name_is_taken_and_said(name: str) -> None:
    rows = [{**ROW, name: value, "object": "a"} for value in (True, False)]
    answers = Answers.from_records(rows)
    assert answers.success == (True, False)
    assert list(answers.task.factors) == ["object"], "else failure would foretell itself"
    assert answers.task.notes == (
        f"the column {name!r} was taken for 'success', which the table has not",
    )
    nested = Answers.from_records([{**row, "factors": {"f": 1}} for row in rows])
    assert nested.success == (True, False)
    assert fl.audit(None, nested, baselines=False).warnings[0] == answers.task.notes[0]


def test_what_is_no_outcome_is_left_out_and_said() -> None:
    both = [{**ROW, "success": True, "correct": 1, "factors": {"f": "a"}, "id": 4}]
    assert Answers.from_records(both).task.notes == (
        "correct, id: nothing is made of these columns of the outcomes; name those that describe a "
        "prompt with --factors",
    )
    flat = Answers.from_records([{**ROW, "success": True, "correct": 1, "object": "a"}])
    assert list(flat.task.factors) == ["object"]
    marks = [{**ROW, "correct": mark} for mark in ("A", "B")]
    answers = Answers.from_records(marks)
    assert answers.success is None
    assert answers.task.factors == {"correct": ["A", "B"]}
    named = Answers.from_records([{**ROW, "correct": True}], factors=["correct"])
    assert named.success is None and named.task.factors == {"correct": ["True"]}


def test_outcomes_that_contradict_every_answer_are_warned_of(tmp_path: Path) -> None:
    rows = [{**ROW, "prompt": f"p {i}", "generated": " Ann" if i % 2 else " Bob",
             "success": i % 2 == 0} for i in range(60)]  # fmt: skip
    (warning, *_) = fl.audit(None, Answers.from_records(rows), baselines=False).warnings
    assert warning.startswith("'success' contradicts 'generated' in 60 of 60 rows (100%): ")
