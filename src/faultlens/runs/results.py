"""The one writer of results: a frozen result into a file of its own, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from faultlens.runs.files import write_json, writing
from faultlens.serialisation import to_json


def save_result(result: Any, path: Path) -> Path:
    """Write a result as JSON: a reader sees the old file or the new one, whole; returns its path.

    The folder is made if need be.

    Raises:
        ValueError: a number that is not finite; nothing is written.
        CannotWrite: the system refuses to write.
    """
    record = to_json(result)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, record)
    return path
