"""`--rewordings COLUMN`: where there are none, and where no model could read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import faultlens as fl
from faultlens.corpus.answers import read_answers
from tests.cli.calling import run

ROW = {"prompt": "Ann gave it to", "target": "Bob"}


def written(folder: Path, *rows: dict[str, Any]) -> Path:
    file = folder / "t.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["mini-ioi"],
            "--rewordings names a column of a file of prompts, and mini-ioi is a task that is "
            "made: expected TASK.jsonl, or --outcomes FILE",
        ),
        (["{}"], '{} has no column "again", which is to hold rewordings'),
        (["--outcomes", "{}"], 't has no column "again", which is to hold rewordings'),
    ],
)
def test_the_command_line_says_where_there_are_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    file = written(tmp_path, {**ROW, "generated": " Bob"})
    given = [argument.format(file) for argument in arguments]
    code, out, err = run(capsys, "audit", *given, "--rewordings", "again")
    assert (code, out) == (2, "")
    assert message.format(file) in err.replace("\n", " ")


def test_without_a_model_they_are_said_to_be_of_no_use(tmp_path: Path) -> None:
    rows = [{**ROW, "generated": " Bob" if i % 2 else " Eve", "rewordings": "It went to"}
            for i in range(20)]  # fmt: skip
    audit = fl.audit(None, read_answers(written(tmp_path, *rows)), permutations=99, baselines=False)
    assert (
        "rewordings were given, and no model is run: nothing is measured on them; read the prompts "
        "through the model that answered them (--model)"
    ) in audit.warnings
