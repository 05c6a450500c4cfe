"""Odd tables: texts, minimal pairs, tasks and outcomes, in JSONL, CSV, TSV and Parquet."""

from __future__ import annotations

import io
import json
import os
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from attempts import Case, Content
from odd_values import NO_JSON, NO_TEXT, WORDS, damaged

READ = ("--layers", "3", "--no-fit-check")
Row = dict[str, object]


@dataclass(frozen=True)
class Kind:
    """What a table may be of.

    Attributes:
        name: of the kind.
        rows: that are right.
        texts: the fields that must hold a text.
        command: that reads the file called FILE.
    """

    name: str
    rows: tuple[Row, ...]
    texts: tuple[str, ...]
    command: tuple[str, ...]

    def arguments(self, file: str) -> tuple[str, ...]:
        return tuple(file if word == "FILE" else word for word in self.command)


TEXTS = Kind(
    "texts",
    tuple({"text": f"{word} is here", "category": "AB"[i % 2]} for i, word in enumerate("pqrs")),
    ("text", "category"),
    ("profile", "FILE", *READ, "--permutations", "99"),
)
PAIRS = Kind(
    "pairs",
    tuple(
        {"topic": topic, "form": form, "text": f"{topic} in {form}"}
        for topic in ("one", "two")
        for form in ("words", "signs")
    ),
    ("topic", "form", "text"),
    ("profile", "texts.jsonl", "--pairs", "FILE", *READ, "--permutations", "99"),
)
TASK = Kind(
    "task",
    tuple(
        {"prompt": f"{a} and Tom met. Tom gave the map to", "target": a, "foil": "Tom",
         "factors": {"place": "park"}}
        for a in ("Mary", "Anna")
    ),
    ("prompt", "target"),
    ("audit", "FILE", *READ, "--permutations", "99", "--no-baselines", "--test-classes",
     "0", "--test-attributed", "0"),
)  # fmt: skip
OUTCOMES = Kind(
    "outcomes",
    tuple(
        {"prompt": f"{a} met Tom. Tom saw", "target": a, "foil": "Tom", "generated": g,
         "factors": {"place": "park"}}
        for a, g in (("Mary", "Mary"), ("Anna", "Tom"), ("Lucy", "Lucy"), ("Susan", "it"))
    ),
    ("prompt", "target"),
    ("audit", "--outcomes", "FILE", "--permutations", "99", "--no-baselines"),
)  # fmt: skip
KINDS = (TEXTS, PAIRS, TASK, OUTCOMES)


def table_cases() -> Iterator[Case]:
    """All of them."""
    drawn = random.Random(1)
    for kind in KINDS:
        yield from _values(kind)
        yield from _lines(kind)
        yield from _files(kind)
        yield from _delimited(kind)
        yield from _parquet(kind, drawn)
    yield from _answers()
    yield from _prompts()
    yield from _folders()


def jsonl(rows: list[Row] | tuple[Row, ...]) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def _case(
    kind: Kind, what: str, file: str, content: Content, expected: str, says: str = ""
) -> Case:
    files: dict[str, Content] = {file: content}
    if kind is PAIRS:
        files["texts.jsonl"] = jsonl(TEXTS.rows)
    return Case(f"{kind.name}/{what}", kind.arguments(file), files, expected, says)  # type: ignore[arg-type]


def _values(kind: Kind) -> Iterator[Case]:
    """One field of the last row holds something odd."""
    for field in kind.texts:
        for name, value in NO_TEXT.items():
            as_label = field == "category" and name in ("true", "number")
            last = ", ".join(
                f'"{key}": {value if key == field else json.dumps(inner)}'
                for key, inner in kind.rows[-1].items()
            )
            content = jsonl(kind.rows[:-1]) + f"\n{{{last}}}".encode()
            expected = "done" if as_label else "refused"
            yield _case(kind, f"jsonl/{field}={name}", "f.jsonl", content, expected)
        for name, word in WORDS.items():
            rows = [*kind.rows[:-1], {**kind.rows[-1], field: word}]
            yield _case(kind, f"jsonl/{field}={name}", "f.jsonl", jsonl(rows), "either")
        missing = [*kind.rows[:-1], {k: v for k, v in kind.rows[-1].items() if k != field}]
        yield _case(
            kind, f"jsonl/{field} missing", "f.jsonl", jsonl(missing), "refused", "line \\d"
        )
        misspelt = [
            {(f"{k}s" if k == field else k): v for k, v in row.items()} for row in kind.rows
        ]
        yield _case(kind, f"jsonl/{field} misspelt", "f.jsonl", jsonl(misspelt), "refused")


def _lines(kind: Kind) -> Iterator[Case]:
    for name, line in NO_JSON.items():
        content = jsonl(kind.rows) + b"\n" + line + b"\n"
        expected = "refused"
        yield _case(kind, f"jsonl/line {name}", "f.jsonl", content, expected)
    twice = jsonl(kind.rows) + b'\n{"text": "a", "text": "b"}'
    yield _case(kind, "jsonl/line key twice", "f.jsonl", twice, "refused")


def _files(kind: Kind) -> Iterator[Case]:
    right = jsonl(kind.rows)
    contents: dict[str, tuple[Content, str]] = {
        "empty": (b"", "refused"),
        "only white space": (b" \n\t\n\r\n", "refused"),
        "only a mark": (b"\xef\xbb\xbf", "refused"),
        "with a mark": (b"\xef\xbb\xbf" + right, "done"),
        "UTF-16": (right.decode().encode("utf-16"), "refused"),
        "UTF-32": (right.decode().encode("utf-32"), "refused"),
        "Latin-1": (right.replace(b"is here", b"caf\xe9").replace(b"met", b"\xe9"), "either"),
        "carriage returns": (right.replace(b"\n", b"\r\n"), "done"),
        "old carriage returns": (right.replace(b"\n", b"\r"), "refused"),
        "blank lines": (right.replace(b"\n", b"\n\n \n"), "done"),
        "one list": (b"[" + right.replace(b"\n", b",") + b"]", "refused"),
        "indented": (json.dumps(list(kind.rows), indent=1).encode(), "refused"),
        "the first row alone": (right.split(b"\n")[0], "either"),
        "a page": (b"<!DOCTYPE html><html><body>404</body></html>", "refused"),
        "a folder": (lambda path: path.mkdir(), "refused"),
        "a folder with files": (_folder_of_files, "either"),
        "a link to nothing": (lambda path: path.symlink_to("nowhere"), "refused"),
        "a link to itself": (lambda path: path.symlink_to(path.name), "refused"),
        "a pipe": (lambda path: os.mkfifo(path), "refused"),
        "a device": (lambda path: path.symlink_to("/dev/zero"), "refused"),
    }
    for name, (content, expected) in contents.items():
        yield _case(kind, f"file/{name}", "f.jsonl", content, expected)
    for suffix in ("", ".txt", ".json", ".ndjson", ".JSONL", ".csv", ".tsv", ".parquet", ".gz"):
        expected = "done" if suffix in ("", ".txt", ".json", ".ndjson", ".JSONL") else "either"
        if kind is TASK and suffix in ("", ".txt"):
            expected = "either"
        yield _case(kind, f"file/named f{suffix}", f"f{suffix}", right, expected)
    for name in (
        "-",
        "--help.jsonl",
        " .jsonl",
        "ü" * 120 + ".jsonl",
        "a\nb.jsonl",
        "\x1b[2J.jsonl",
    ):
        yield _case(kind, f"file/named {name!a}", f"./{name}", right, "either")
    broken = os.fsdecode(b"\xff\xfe.jsonl")
    yield _case(kind, "file/named not in UTF-8", broken, right, "either")
    for name in ("n" * 300 + ".jsonl", "d/" * 3000 + "f.jsonl", "no.jsonl", "f.jsonl/x.jsonl"):
        arguments = kind.arguments(name)
        files = {"texts.jsonl": jsonl(TEXTS.rows), "f.jsonl": right}
        yield Case(f"{kind.name}/file/no {name[:12]}", arguments, files, "refused")


def _folder_of_files(path: Path) -> None:
    for category in "AB":
        (path / category).mkdir(parents=True)
        (path / category / "1.txt").write_text("hello")


def _delimited(kind: Kind) -> Iterator[Case]:
    """CSV and TSV: a cell is a text, whatever stands in it, and an empty one is absent."""
    fields = [field for field in kind.rows[0] if field != "factors"]
    for suffix, mark in ((".csv", ","), (".tsv", "\t")):
        head = mark.join(fields)
        body = [mark.join(str(row[field]) for field in fields) for row in kind.rows]
        right = "\n".join([head, *body])
        spaced, twice = mark.join(f" {f} " for f in fields), mark.join([fields[0]] * len(fields))
        vast, bad = mark.join(["v" * 200_000] * len(fields)), b"\xff" + mark.encode()
        contents: dict[str, tuple[bytes, str]] = {
            "right": (right.encode(), "done"),
            "empty": (b"", "refused"),
            "only a header": (head.encode(), "refused"),
            "no header": ("\n".join(body).encode(), "refused"),
            "a mark": (b"\xef\xbb\xbf" + right.encode(), "done"),
            "carriage returns": (right.replace("\n", "\r\n").encode(), "done"),
            "old carriage returns": (right.replace("\n", "\r").encode(), "done"),
            "nul": ((right + "\n" + mark.join(["a\0b"] * len(fields))).encode(), "either"),
            "not UTF-8": (right.encode() + b"\n" + bad * (len(fields) - 1), "refused"),
            "UTF-16": (right.encode("utf-16"), "refused"),
            "a cell too many": (f"{right}{mark}extra".encode(), "refused"),
            "a cell too few": (f"{right}\nalone".encode(), "refused"),
            "empty cells": (f"{right}\n{mark * (len(fields) - 1)}".encode(), "refused"),
            "an open quote": (f'{right}\n"open{mark}'.encode(), "refused"),
            "text behind a quote": (f'{right}\n"a"b{mark}c'.encode(), "refused"),
            "a header twice": ("\n".join([twice, *body]).encode(), "refused"),
            "a header with spaces": (right.replace(head, spaced).encode(), "done"),
            "a header in capitals": (right.replace(head, head.upper()).encode(), "refused"),
            "a vast cell": (f"{right}\n{vast}".encode(), "either"),
            "another delimiter": (right.replace(mark, ";").encode(), "refused"),
            "a comment": (f"# made by hand\n{right}".encode(), "refused"),
        }  # fmt: skip
        for name, (content, expected) in contents.items():
            if name == "right" and kind is PAIRS:
                expected = "done"
            yield _case(kind, f"{suffix[1:]}/{name}", f"f{suffix}", content, expected)
        for name, word in WORDS.items():
            quoted = '"' + word.replace('"', '""') + '"'
            cells = [quoted if f == fields[0] else str(kind.rows[-1][f]) for f in fields]
            content = "\n".join([head, *body[:-1], mark.join(cells)]).encode()
            yield _case(kind, f"{suffix[1:]}/{fields[0]}={name}", f"f{suffix}", content, "either")


def _parquet(kind: Kind, drawn: random.Random) -> Iterator[Case]:
    fields = [field for field in kind.rows[0] if field != "factors"]
    columns = {field: [str(row[field]) for row in kind.rows] for field in fields}
    right = parquet(pa.table(columns))
    yield _case(kind, "parquet/right", "f.parquet", right, "done")
    for name, content in damaged(right, drawn):
        whole = name in ("rubbish behind",)
        expected = "either" if "changed" in name or whole or name == "doubled" else "refused"
        yield _case(kind, f"parquet/{name}", "f.parquet", content, expected)
    rows = len(kind.rows)
    odd: dict[str, Callable[[], pa.Array]] = {
        "null": lambda: pa.nulls(rows),
        "nulls among texts": lambda: pa.array([None, *columns[fields[0]][1:]]),
        "int64": lambda: pa.array(range(rows)),
        "float64": lambda: pa.array([float("nan")] * rows),
        "bool": lambda: pa.array([True] * rows),
        "binary": lambda: pa.array([b"\xff\xfe"] * rows),
        "bad UTF-8": lambda: pa.array([b"\xff\xfe"] * rows).view(pa.string()),
        "dictionary": lambda: pa.array(columns[fields[0]]).dictionary_encode(),
        "large text": lambda: pa.array(columns[fields[0]], pa.large_string()),
        "list": lambda: pa.array([["a"]] * rows),
        "struct": lambda: pa.array([{"a": "b"}] * rows),
        "map": lambda: pa.array([[("a", "b")]] * rows, pa.map_(pa.string(), pa.string())),
        "timestamp": lambda: pa.array([10**18] * rows, pa.timestamp("ns")),
        "a day out of range": lambda: pa.array([10**9] * rows, pa.date32()),
        "timestamp out of range": lambda: pa.array([2**62] * rows, pa.timestamp("us")),
        "decimal": lambda: pa.array([1] * rows, pa.int64()).cast(pa.decimal128(30, 2)),
        "duration": lambda: pa.array([2**62] * rows, pa.duration("us")),
        "half": lambda: pa.array(np.zeros(rows, np.float16)),
    }
    for name, array in odd.items():
        fine = name in ("dictionary", "large text")
        table = pa.table({**columns, fields[0]: array()})
        expected = "done" if fine else "refused"
        yield _case(kind, f"parquet/{fields[0]} {name}", "f.parquet", parquet(table), expected)
        extra = pa.table({**columns, "extra": array()})
        yield _case(kind, f"parquet/extra {name}", "f.parquet", parquet(extra), "either")
    shapes = {
        "no rows": pa.table({field: pa.array([], pa.string()) for field in fields}),
        "no columns": pa.table({}),
        "a column missing": pa.table({k: v for k, v in columns.items() if k != fields[0]}),
        "a column twice": pa.table(
            [pa.array(columns[f]) for f in (*fields, fields[0])], names=[*fields, fields[0]]
        ),
        "columns without names": pa.table(
            [pa.array(columns[f]) for f in fields], names=[""] * len(fields)
        ),
    }
    for name, table in shapes.items():
        yield _case(kind, f"parquet/{name}", "f.parquet", parquet(table), "refused")


def parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def _answers() -> Iterator[Case]:
    """What only outcomes hold: what was generated, success, factors."""
    good = OUTCOMES.rows
    values: Mapping[str, Mapping[str, str]] = {
        "generated": {
            "null": "refused", "true": "refused", "1": "refused", "[]": "refused", '""': "done",
            '" "': "done", "{}": "refused", "NaN": "refused", '"\\ud800"': "refused",
            '"\\u0000"': "done", '"\\u200f\\u202a Susan"': "done", '"**Susan**"': "done",
        },
        "success": {
            "null": "either", "true": "done", "0": "done", "1.0": "done", "2": "refused",
            '"yes"': "either", '"maybe"': "refused", "[]": "refused", "{}": "refused",
            "NaN": "either", "0.5": "refused", "-1": "refused", "1e999": "refused", '""': "refused",
        },
        "foil": {
            '"Susan"': "refused", '""': "refused", "1": "refused", "[]": "refused", "null": "done",
        },
        "separator": {'""': "done", '" "': "done", '"\\n"': "either", "1": "refused",
                      "null": "either", '"--"': "either", "[]": "refused"},
        "accepted": {"[]": "done", '["Sue"]': "done", '"Sue"': "refused", "[1]": "refused",
                     '["Tom"]': "either", '[""]': "refused", "{}": "refused",
                     '["Susan"]': "either"},
        "factors": {
            "null": "either", "[]": "refused", '"a"': "refused", "1": "refused", "{}": "done",
            '{"a": null}': "either", '{"a": NaN}': "refused", '{"a": Infinity}': "refused",
            '{"a": []}': "refused", '{"a": {}}': "refused", '{"a": 1.5}': "done",
            '{"a": true}': "done", '{"": "b"}': "either", '{"a": ""}': "either",
            '{"\\ud800": "b"}': "refused", '{"a": "\\ud800"}': "refused",
            '{"a": 1e308}': "done", '{"a": 1e999}': "refused",
            '{"prompt": "b"}': "either", '{"a/b": "c"}': "done",
            '{"\\u001b[2J": "\\u202e"}': "done",
        },
    }  # fmt: skip
    for kind in (OUTCOMES, TASK):
        for field, of_field in values.items():
            if kind is TASK and field in ("generated", "success"):
                continue
            for value, expected in of_field.items():
                swapped = value.replace("Susan", str(kind.rows[-1]["target"]))
                lines = [
                    {k: json.dumps(v) for k, v in row.items()}
                    | ({field: swapped} if row is kind.rows[-1] or field == "factors" else {})
                    for row in kind.rows
                ]
                content = "\n".join(
                    "{" + ", ".join(f'"{k}": {v}' for k, v in line.items()) + "}" for line in lines
                ).encode()
                if kind is OUTCOMES and field == "success" and expected == "done":
                    expected = "either"  # the other rows have none
                yield _case(kind, f"jsonl/{field}={value}", "f.jsonl", content, expected)
    rows: dict[str, tuple[list[Row], str]] = {
        "all right": ([{**row, "generated": row["target"]} for row in good], "either"),
        "all wrong": ([{**row, "generated": "nothing"} for row in good], "either"),
        "no outcome": (
            [{k: v for k, v in row.items() if k != "generated"} for row in good], "refused"
        ),
        "one row": ([good[0]], "either"),
        "one prompt many times": ([good[0]] * 6 + [{**good[0], "generated": "Tom"}] * 6, "either"),
        "factors in some rows": (
            [*good[:2], *({**row, "factors": {"other": 1}} for row in good[2:])], "either"
        ),
        "a factor for each prompt": (
            [{**row, "factors": {"id": str(i)}} for i, row in enumerate(good * 5)], "either"
        ),
        "many factors": (
            [{**row, "factors": {f"f{j}": (i + j) % 3 for j in range(60)}}
             for i, row in enumerate(good * 3)], "either",
        ),
    }  # fmt: skip
    for name, (content, expected) in rows.items():
        yield _case(OUTCOMES, f"rows/{name}", "f.jsonl", jsonl(content), expected)
    for given in ("place", "place,place", "nowhere", ",", "", "prompt", "generated", "\x1b[2J"):
        flat = [{**{k: v for k, v in r.items() if k != "factors"}, "place": "park"} for r in good]
        arguments = (*OUTCOMES.arguments("f.jsonl"), "--factors", given)
        expected = {"place": "done"}.get(
            given, "either" if given in ("place,place",) else "refused"
        )
        files = {"f.jsonl": jsonl(flat)}
        yield Case(f"outcomes/--factors {given!r}", arguments, files, expected)  # type: ignore[arg-type]


def _prompts() -> Iterator[Case]:
    """Prompts that a model cannot be given, or not as they are."""
    odd: dict[str, tuple[Row, str]] = {
        "too long": ({"prompt": "word " * 400, "target": "end"}, "refused"),
        "ends in a space": ({"prompt": "Mary saw ", "target": "Tom"}, "either"),
        "only spaces": ({"prompt": "   ", "target": "Tom"}, "refused"),
        "two words": ({"prompt": "The city is", "target": "New York"}, "refused"),
        "target is foil": ({"prompt": "Mary saw", "target": "Tom", "foil": "Tom"}, "refused"),
        "control characters": ({"prompt": "a\0b\x1b[2J", "target": "Tom"}, "either"),
        "target of marks": ({"prompt": "Mary saw", "target": "\u200f\u202a"}, "either"),
        "target of a mark": ({"prompt": "Mary saw", "target": "."}, "either"),
    }
    for name, (row, expected) in odd.items():
        yield _case(TASK, f"prompt/{name}", "f.jsonl", jsonl([*TASK.rows, row]), expected)


def _folders() -> Iterator[Case]:
    """A folder of CATEGORY/file texts."""

    def made(**files: bytes | None) -> Content:
        def make(path: Path) -> None:
            path.mkdir()
            for name, content in files.items():
                file = path / name.replace("__", "/")
                file.parent.mkdir(parents=True, exist_ok=True)
                if content is None:
                    file.mkdir(exist_ok=True)
                else:
                    file.write_bytes(content)

        return make

    def odd(change: Callable[[Path], object]) -> Content:
        def make(path: Path) -> None:
            right(path)
            change(path)

        return make

    right_files = {
        "A__1.txt": b"one",
        "A__2.txt": b"two",
        "B__1.txt": b"three",
        "B__2.txt": b"four",
    }
    make_right = made(**right_files)
    assert callable(make_right)
    right = make_right
    contents: dict[str, tuple[Content, str]] = {
        "right": (make_right, "done"),
        "empty": (made(), "refused"),
        "one category": (made(A__1=b"x"), "refused"),
        "a stray file": (made(**right_files, stray=b"x"), "refused"),
        "an empty category": (made(**right_files, C=None), "refused"),
        "an empty file": (made(**right_files, B__3=b""), "refused"),
        "not UTF-8": (made(**right_files, B__3=b"\xff"), "refused"),
        "nul": (made(**right_files, B__3=b"a\0b"), "either"),
        "a picture": (made(**right_files, B__3=b"\x89PNG\r\n\x1a\n" + bytes(64)), "refused"),
        "a link to nothing": (odd(lambda p: (p / "B" / "3").symlink_to("nowhere")), "either"),
        "a link to itself": (odd(lambda p: (p / "B" / "3").symlink_to("3")), "either"),
        "a circle of folders": (odd(lambda p: (p / "B" / "up").symlink_to(p)), "either"),
        "a pipe": (odd(lambda p: os.mkfifo(p / "B" / "3")), "either"),
        "a category not in UTF-8": (
            odd(lambda p: (p / "B").rename(p / os.fsdecode(b"\xff"))), "refused"
        ),
        "an odd category": (odd(lambda p: (p / "B").rename(p / "\x1b[2J\u202e")), "done"),
        "a long category": (odd(lambda p: (p / "B").rename(p / ("c" * 250))), "done"),
    }  # fmt: skip
    for name, (content, expected) in contents.items():
        yield _case(TEXTS, f"folder/{name}", "f", content, expected)
