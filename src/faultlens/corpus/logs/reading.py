"""Reading a log: which format a file has, told by its content, and the reader of that format."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from faultlens.corpus.logs.evaluation_log import EvaluationLog
from faultlens.corpus.logs.log_options import LogOptions
from faultlens.corpus.records import is_file, printable
from faultlens.errors import UserError

Reader = Callable[[Path, LogOptions, Sequence[str] | None], EvaluationLog]
"""Reads a file, with what it leaves open and the columns that are factors (None: its own)."""

LONGEST_LINE = 2**26  # bytes of a file that are looked at: a first line, with many examples in it
_ARCHIVE = (b"PK\x03\x04", b"PK\x05\x06")
_INSPECT = re.compile(r'\{\s*"version"\s*:\s*\d+\s*,\s*"(?:status|eval)"')
_BESIDE = {
    "results of lm-eval: expected samples_TASK_DATE.jsonl beside them (--log_samples)": re.compile(
        r'\{\s*"results"\s*:\s*\{'
    ),
    "an aggregate of every-eval-ever: expected the JSONL of its instances beside it": re.compile(
        r'\{\s*"schema_version"\s*:\s*"[^"]*"\s*,\s*"evaluation_id"\s*:(?!.*"interaction_type")',
        re.DOTALL,
    ),
}


def log_reader(path: Path) -> Reader | None:
    """What reads the file, if it is an evaluation log; None: it is a table, or nothing we know.

    Raises UserError for a file that lies beside a log and is none.
    """
    if not is_file(path):
        return None
    try:
        with path.open("rb") as file:
            line = file.readline(LONGEST_LINE)
            head = line + file.read(1024)
    except OSError as error:
        raise UserError(f"{printable(path)} cannot be read: {error.strerror}") from error
    if head[:4] in _ARCHIVE:
        from faultlens.corpus.logs.inspect_log import read_inspect_log

        return read_inspect_log
    text = head.decode("utf-8-sig", errors="replace").lstrip()
    return _of_text(path, text, line) if text.startswith("{") else None


def _of_text(path: Path, text: str, line: bytes) -> Reader | None:
    keys = _keys(line)
    if {"doc_id", "arguments"} <= keys:
        from faultlens.corpus.logs.lm_eval_log import read_lm_eval_log

        return read_lm_eval_log
    if {"evaluation_id", "interaction_type"} <= keys:
        from faultlens.corpus.logs.every_eval_ever import read_every_eval_ever

        return read_every_eval_ever
    if _INSPECT.match(text):
        from faultlens.corpus.logs.inspect_log import read_inspect_log

        return read_inspect_log
    for what, pattern in _BESIDE.items():
        if pattern.match(text) and "prompt" not in keys:
            raise UserError(f"{printable(path)} holds {what}")
    return None


def _keys(line: bytes) -> set[str]:
    """The fields of a first line that is a JSON object."""
    try:
        record = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return set()
    return set(record) if isinstance(record, dict) else set()
