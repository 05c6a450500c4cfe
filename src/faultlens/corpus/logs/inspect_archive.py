"""An inspect_ai log's file: its header and its samples, from `.eval` or `.json`.

Format version 2, as inspect_ai 0.3.285 writes it. `.eval` is a ZIP whose members are compressed
with Zstandard (method 93), which Python's own `zipfile` reads from 3.14 on: here a backport of it
does. A sample is one member, `samples/{id}_epoch_{n}.json`, or a folder of that name with its
messages in chunks of their own.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backports.zstd import ZstdError, zipfile

from faultlens.corpus.records import in_one_line, read_text, shown
from faultlens.errors import UserError

Header = dict[str, Any]
RawSample = dict[str, Any]

_WHOLE = re.compile(r"samples/.+_epoch_[0-9]+\.json")
_SHELL = re.compile(r"samples/.+_epoch_[0-9]+/sample\.json")
_BROKEN = (zipfile.BadZipFile, ZstdError, EOFError, KeyError, NotImplementedError, OSError,
           RuntimeError, ValueError, zlib.error)  # fmt: skip


def read_inspect(path: Path) -> tuple[Header, list[RawSample]]:
    """The header and all samples, in the order of the data set and of the epochs.

    Raises UserError for a file that is cut off, or not what inspect_ai writes.
    """
    if zipfile.is_zipfile(path):
        header, samples = _from_archive(path)
    elif path.read_bytes()[:2] == b"PK":
        raise UserError(
            f"{path} is cut off: a ZIP whose list of members, at its end, is missing; copy the log "
            "again, or let inspect_ai recover it"
        )
    else:
        header, samples = _from_json(path)
    if not isinstance(header.get("eval"), dict):
        raise UserError(f"{path} has no 'eval' in its header: expected a log of inspect_ai")
    return header, sorted(samples, key=lambda sample: _place(header, sample))


def _place(header: Header, sample: RawSample) -> tuple[int, str, int]:
    ids = (header["eval"].get("dataset") or {}).get("sample_ids") or []
    known = {str(name): i for i, name in enumerate(ids)}
    name = str(sample.get("id"))
    return known.get(name, len(known)), name.rjust(20), int(sample.get("epoch") or 1)


def _from_json(path: Path) -> tuple[Header, list[RawSample]]:
    try:
        log = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON ({error}): it may be cut off") from error
    samples = log.pop("samples", None) or []
    return log, _checked(path, samples)


def _from_archive(path: Path) -> tuple[Header, list[RawSample]]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            header = _header(archive, names)
            return header, _checked(path, list(_samples(archive, names)))
    except RecursionError as error:
        raise UserError(f"{path} holds JSON that is nested too deeply to read") from error
    except _BROKEN as error:
        raise UserError(
            f"{path} cannot be read as a log of inspect_ai: {in_one_line(error)}"
        ) from (error)


def _header(archive: zipfile.ZipFile, names: list[str]) -> Header:
    if "header.json" in names:
        header: Header = _member(archive, "header.json")
        return header
    if "_journal/start.json" in names:  # an evaluation that has not ended
        return {"status": "started", **_member(archive, "_journal/start.json")}
    raise ValueError("it has neither header.json nor _journal/start.json")


def _samples(archive: zipfile.ZipFile, names: list[str]) -> Iterator[RawSample]:
    for name in dict.fromkeys(names):
        if _WHOLE.fullmatch(name):
            yield _member(archive, name)
        elif _SHELL.fullmatch(name):
            yield _in_chunks(archive, names, name.removesuffix("sample.json"))


def _in_chunks(archive: zipfile.ZipFile, names: list[str], folder: str) -> RawSample:
    """A sample whose messages, metadata and attachments lie in members of their own."""
    sample: RawSample = _member(archive, f"{folder}sample.json")
    messages = _sequence(archive, names, f"{folder}messages/")
    attachments = _sequence(archive, names, f"{folder}attachments/")
    if f"{folder}metadata.json" in names:
        sample["metadata"] = _member(archive, f"{folder}metadata.json")
    refs = sample.get("message_refs") or []
    sample["messages"] = [message for start, end in refs for message in messages[start:end]]
    sample["attachments"] = {str(i): text for i, text in enumerate(attachments)}
    return sample


def _sequence(archive: zipfile.ZipFile, names: list[str], folder: str) -> list[Any]:
    """A sequence from its chunks, each of which is named by the place of its first item."""
    starts = (
        name.removeprefix(folder).removesuffix(".json") for name in names if name.startswith(folder)
    )
    numbers = sorted(int(start) for start in starts if start.isascii() and start.isdigit())
    return [item for start in numbers for item in _member(archive, f"{folder}{start}.json")]


def _member(archive: zipfile.ZipFile, name: str) -> Any:
    return json.loads(archive.read(name))


def _checked(path: Path, samples: object) -> list[RawSample]:
    if not isinstance(samples, list) or not all(isinstance(sample, dict) for sample in samples):
        raise UserError(f"{path}: its samples are {shown(samples)}, expected a list of objects")
    return samples
