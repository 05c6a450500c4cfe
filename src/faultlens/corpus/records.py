"""Records: the rows of a JSONL, CSV, TSV or Parquet file, each with its place in the file."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from faultlens.errors import UserError

MOST_CHARACTERS = 2**31 - 1  # in a cell of CSV; by default it is 131,072, shorter than some prompts
MISSPELT = 0.8  # how alike a misspelt name is to the right one
GZIPPED = b"\x1f\x8b"  # how such a file begins
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")

Placed = tuple[str, dict[str, Any]]
"""A record and its place, as a sentence names it: "FILE line 3"."""


def read_records(path: Path) -> Iterator[Placed]:
    """The rows of a table, by the file's suffix; anything unknown is taken as JSONL.

    The cells of CSV and TSV are strings; an empty one is absent, as null is in the others.

    Raises UserError if the file cannot be read, or a row is not what its format asks for.
    """
    if not is_file(path):
        raise UserError(
            f"no file {printable(path)}: expected a JSONL file, one object a line, or a .csv, "
            ".tsv or .parquet table"
        )
    suffix = (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()
    if suffix in (".csv", ".tsv"):
        return _delimited(path, "," if suffix == ".csv" else "\t")
    return _parquet(path) if suffix == ".parquet" else _jsonl(path)


def _jsonl(path: Path) -> Iterator[Placed]:
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        where = f"{path} line {number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{where} is not JSON ({error}): expected one object a line") from error
        if not isinstance(record, dict):
            raise UserError(f"{where} holds {shown(record)}: expected a JSON object")
        yield where, record


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file, one held at a time. Raises UserError, as `read_text` does."""
    begin = 0
    try:
        with path.open("rb") as raw:
            packed = raw.peek(2)[:2] == GZIPPED
            with gzip.open(raw) if packed else raw as lines:
                for line in lines:
                    whole = line.decode("utf-8-sig" if not begin else "utf-8")
                    begin += len(line)
                    yield whole.removesuffix("\n")
    except UnicodeDecodeError as error:
        at = error.start + begin
        raise UserError(
            f"{printable(path)} cannot be read as UTF-8 text: 'utf-8' codec can't decode byte "
            f"0x{error.object[error.start]:02x} in position {at}: {error.reason}"
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{printable(path)} cannot be read as UTF-8 text: {error}") from error


def _delimited(path: Path, delimiter: str) -> Iterator[Placed]:
    lines = io.StringIO(read_text(path), newline="")  # only these end a line: \n, \r, \r\n
    csv.field_size_limit(MOST_CHARACTERS)
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    try:
        for row in rows:
            where = f"{path} line {rows.line_num}"
            if not row:
                continue
            if header is None:
                header = [name.strip() for name in row]
                if len(set(header)) < len(header):
                    raise UserError(f"{where}: two columns have one name: {', '.join(header)}")
                continue
            if len(row) != len(header):
                raise UserError(
                    f"{where} has {len(row)} cells, the header {len(header)}: expected the same "
                    "number (quote a cell that holds the delimiter)"
                )
            yield where, {name: cell for name, cell in zip(header, row, strict=True) if cell}
    except csv.Error as error:
        raise UserError(f"{path} line {rows.line_num} is not CSV: {error}") from error


def _parquet(path: Path) -> Iterator[Placed]:
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        file = pyarrow.parquet.ParquetFile(path)
        names = file.schema_arrow.names
        if len(set(names)) < len(names):  # of which a row would keep the last
            raise UserError(f"{path}: two columns have one name: {', '.join(names)}")
        for batch in file.iter_batches():
            for row in batch.to_pylist():
                number += 1
                yield f"{path} row {number}", {k: v for k, v in row.items() if v is not None}
    except (OSError, pyarrow.ArrowException, ValueError, OverflowError) as error:
        raise UserError(f"{path} cannot be read as Parquet: {in_one_line(error)}") from error


def read_text(path: Path) -> str:
    """A file's content, unpacked where gzip packed it. Raises UserError if it is not UTF-8."""
    try:
        raw = path.read_bytes()
        return (gzip.decompress(raw) if raw[:2] == GZIPPED else raw).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"{printable(path)} cannot be read as UTF-8 text: {error}") from error


def is_file(path: Path) -> bool:
    """Whether there is such a file; not where its name or its folder cannot be looked up."""
    try:
        return path.is_file()
    except OSError:
        return False


def name_of(path: Path) -> str:
    """A file's name without its suffix, as results and sentences can hold it."""
    return printable(path.stem)


def printable(text: object) -> str:
    """A text in which what no file can hold (half of a character, bytes of a name) is escaped."""
    return str(text).encode(errors="backslashreplace").decode()


def in_one_line(error: Exception) -> str:
    """What an error says, without its line breaks."""
    return printable(" ".join(str(error).split()))


def text_field(where: str, record: dict[str, Any], field: str) -> str:
    """A non-empty string field of a record. Raises UserError saying what was found instead."""
    if field not in record:
        raise UserError(
            f"{where} has no {field!r}: it has {', '.join(map(repr, record)) or 'nothing'}"
        )
    value = record[field]
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{where}: {field!r} is {shown(value)}, expected a text that is not empty")
    return whole_text(where, field, value)


def whole_text(where: str, field: str, text: str) -> str:
    """The text itself. Raises UserError for a lone surrogate, which no file can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{where}: {field!r} holds half of a character (a lone surrogate) at {error.start}"
        ) from error
    return text


def check_spelling(where: str, record: dict[str, Any], known: Collection[str]) -> None:
    """Raises UserError for a field that seems to be a known one, misspelt, and so would be lost.

    It is one word with the same first letter, at least four fifths alike (`difflib`'s ratio) when
    case is left aside, and the known field is not there. Names of several words, or with digits
    (`prompt_id`, `foil_2`), are taken as what else is known of the row.
    """
    missing = [field for field in known if field not in record]
    for name in record:
        word = str(name).strip().casefold()
        if name in known or not word.isalpha():
            continue
        like = [field for field in missing if field[0] == word[0]]
        for meant in get_close_matches(word, like, n=1, cutoff=MISSPELT):
            raise UserError(
                f"{where} has no {meant!r} but {str(name)!r}, which seems to be that misspelt: "
                f"rename it to {meant}, or to what is less like it if it is something else"
            )


def label_field(where: str, record: dict[str, Any], field: str) -> str:
    """A label of a record: a non-empty string, or a whole number or a truth value as its text.

    A whole number may come as 1.0, as tables hold whole numbers where some are missing: it is "1".
    """
    value = record.get(field)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int) else text_field(where, record, field)


def columns_of(records: Iterable[Placed]) -> list[str]:
    """The fields that any record has, in order of first appearance."""
    return list(dict.fromkeys(name for _, record in records for name in record))


def plain_value(value: Any) -> Any:
    """A NumPy number as Python's, an array as a list; anything else as it is."""
    import numpy as np

    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value


def shown(value: Any, limit: int = 40) -> str:
    """A value as an error message shows it: as JSON, cut at `limit` characters."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):  # it holds itself, or more levels than can be followed
        text = f"{type(value).__name__} nested too deeply to show"
    text = printable(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
