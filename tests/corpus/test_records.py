"""Records: four formats give the same rows; what is broken is named with its place."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from faultlens.corpus.records import read_records
from faultlens.errors import UserError

ROWS = [{"text": "a, b", "category": "A"}, {"text": 'two\nlines "here"', "category": "B"}]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    frame = pd.DataFrame(ROWS)
    paths = {suffix: tmp_path / f"rows.{suffix}" for suffix in ("jsonl", "csv", "tsv", "parquet")}
    frame.to_json(paths["jsonl"], orient="records", lines=True)
    frame.to_csv(paths["csv"], index=False, encoding="utf-8-sig")
    frame.to_csv(paths["tsv"], index=False, sep="\t")
    frame.to_parquet(paths["parquet"])
    return paths


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tsv", "parquet"])
def test_every_format_gives_the_same_rows(files: dict[str, Path], suffix: str) -> None:
    assert [record for _, record in read_records(files[suffix])] == ROWS


def test_the_place_is_the_line_of_the_file(files: dict[str, Path]) -> None:
    places = {suffix: [where for where, _ in read_records(path)] for suffix, path in files.items()}
    assert [where.split("rows.")[1] for where in places["csv"]] == ["csv line 2", "csv line 4"]
    assert places["parquet"][1].endswith("rows.parquet row 2")


def test_an_empty_cell_is_absent(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,\n")
    assert [record for _, record in read_records(tmp_path / "a.csv")] == [{"x": "1"}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "x,y\n1,2,3\n", r"a\.csv line 2 has 3 cells, the header 2: expected the same"),
        ("a.csv", "x,x\n1,2\n", r"a\.csv line 1: two columns have one name: x, x"),
        ("a.csv", 'x\n"open\n', r"a\.csv line 2 is not CSV"),
        ("a.parquet", "no", r"a\.parquet cannot be read as Parquet"),
        ("a.jsonl", "[" * 100_000, r"a\.jsonl line 1 is not JSON"),
    ],
)
def test_what_is_broken_is_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message):
        list(read_records(tmp_path / name))
