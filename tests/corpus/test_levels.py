"""Levels: spellings of one value are one level, in tasks, outcomes and corpora, and it is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faultlens as fl
from faultlens.corpus.answers import Answers, read_answers
from faultlens.corpus.levels import one_spelling, read_level
from faultlens.corpus.task import read_task
from faultlens.errors import UserError


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.mark.parametrize(
    ("levels", "one", "sentence"),
    [
        (["1", "1.0", "2"], ["1", "1", "2"], '"1" and "1.0" are one level, read as "1"'),
        (["people", "people "], ["people"] * 2, '"people" and "people " are one level, read as '
         '"people"'),
        (["caf\u00e9", "cafe\u0301"], ["caf\u00e9"] * 2, '"cafe\\u0301" and "café" are one level, '
         'read as "café"'),
        (["a\u00a0b", "a b"], ["a b"] * 2, '"a b" and "a\\xa0b" are one level, read as "a b"'),
        (["x\u200f", "x"], ["x"] * 2, '"x" and "x\\u200f" are one level, read as "x"'),
        (["-2.00", "-2"], ["-2"] * 2, '"-2" and "-2.00" are one level, read as "-2"'),
    ],
)  # fmt: skip
def test_spellings_of_one_value_are_merged_and_named(
    levels: list[str], one: list[str], sentence: str
) -> None:
    assert one_spelling({"f": levels}) == ({"f": one}, [f"factor f: {sentence}"])


@pytest.mark.parametrize(
    "levels",
    [
        ["1.0", "1.1", "1.10"], ["007", "7"], ["1_0", "10"], ["True", "1"], ["1.5", "1.50"],
        ["People", "people"], ["2²", "22"], ["1e3", "1000"], ["2.0", "3.0"],
    ],
)  # fmt: skip
def test_other_values_stay_apart_and_as_they_were_written(levels: list[str]) -> None:
    assert one_spelling({"f": levels}) == ({"f": levels}, [])


def test_white_space_around_a_level_is_taken_off_without_a_word() -> None:
    assert one_spelling({"f": ["a ", "b"]}) == ({"f": ["a", "b"]}, [])


ROW = {"prompt": "p", "target": "Ann", "generated": " Bob", "success": False}


def test_outcomes_and_tasks_merge_alike(tmp_path: Path) -> None:
    depths = [0.0, 1, 1.0, 2.0, 2, 0]
    rows = [{**ROW, "prompt": f"p {i}", "factors": {"depth": d}} for i, d in enumerate(depths)]
    said = tuple(
        f'factor depth: "{n}" and "{n}.0" are one level, read as "{n}"' for n in ("0", "1", "2")
    )
    answers = read_answers(write(tmp_path / "rows.jsonl", rows))
    assert answers.task.factors == {"depth": ["0", "1", "1", "2", "2", "0"]}
    assert answers.task.notes == said
    task = read_task(write(tmp_path / "task.jsonl", [
        {name: row[name] for name in ("prompt", "target", "factors")} for row in rows
    ]))  # fmt: skip
    assert (task.factors, task.notes) == (answers.task.factors, said)
    audit = fl.audit(None, answers, baselines=False)
    assert audit.warnings[:3] == list(said)


def test_categories_of_a_corpus_merge_too(tmp_path: Path) -> None:
    labels = ["people", "people ", "caf\u00e9", "cafe\u0301", 1, 1.0]
    rows = [{"text": f"text {i}", "category": label} for i, label in enumerate(labels)]
    corpus = fl.read_corpus(write(tmp_path / "corpus.jsonl", rows))
    assert corpus.labels == ("people",) * 2 + ("caf\u00e9",) * 2 + ("1",) * 2
    assert corpus.warnings == [
        'column category: "cafe\\u0301" and "café" are one level, read as "café"',
        'column category: "people" and "people " are one level, read as "people"',
    ]


@pytest.mark.parametrize(
    ("level", "seen"),
    [(float("nan"), "NaN"), (float("inf"), "Infinity"), (None, "null"), ([1], "[1]")],
)
def test_what_is_no_level_is_refused_alike(tmp_path: Path, level: Any, seen: str) -> None:
    """Task and outcomes have one parser: neither takes NaN as a level "nan"."""
    path = write(tmp_path / "rows.jsonl", [{**ROW, "factors": {"f": level}}])
    for read in (read_task, read_answers):
        with pytest.raises(UserError) as refused:
            read(path)
        assert str(refused.value) == (
            f"{path} line 1: factor 'f' is {seen}, expected a word or a number"
        )


def test_levels_are_read_from_any_scalar() -> None:
    assert [read_level("here", "f", v) for v in ("a", 3, 0.5, True, np.int64(2), np.bool_(1))] == [
        "a", "3", "0.5", "True", "2", "True",
    ]  # fmt: skip
    with pytest.raises(UserError, match="factor 'f' is a number of more than 300 digits"):
        read_level("here", "f", 10**5000)


def test_one_parser_reads_the_separator_of_both(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{**ROW, "separator": "-"}])
    for read in (read_task, read_answers):
        with pytest.raises(UserError) as refused:
            read(path)
        assert str(refused.value) == (
            f'{path} line 1: \'separator\' is "-", expected " ", or "" where the answer follows '
            "the prompt directly"
        )
    (tmp_path / "rows.csv").write_text('prompt,target,generated,separator\np,Ann,x,\nq,Ann,x," "\n')
    assert [p.separator for p in read_answers(tmp_path / "rows.csv").task.prompts] == ["", " "]
    assert Answers.from_records([{**ROW, "separator": ""}]).task.prompts[0].separator == ""
