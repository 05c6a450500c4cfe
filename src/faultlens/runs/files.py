"""Files that are either whole or not there: written under a random name, then moved into place.

Every file that FaultLens writes is made here. A new file never goes through a link that somebody
put in its way: it is created under a name that nobody can know before (`O_EXCL`, `O_NOFOLLOW`), and
moving it into place replaces a link, not what the link leads to.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from faultlens.errors import CannotWrite, UserError
from faultlens.runs.location import is_local, put

OURS = ".faultlens-"
"""How the names begin of what is only there while something is written."""
PART = re.compile(rf"{re.escape(OURS)}[0-9a-f]{{16}}\.part")
"""The name of a file that is being written; a killed process leaves it behind."""
_CREATE = (
    os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
)
LONGEST = 150
"""Bytes of a file's name: file systems allow 255, and endings are put to it."""
_JSON_NAMES = {
    dict: "an object", list: "a list", str: "a text", int: "a number", float: "a number",
    bool: "a truth value", type(None): "null",
}  # fmt: skip
_SURROGATE = re.compile("[\ud800-\udfff]")


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of `path` when the block ends well.

    A reader sees the old file or the new one, whole; nothing is left when the block fails. What
    goes to a URL is held in memory until then.

    Raises:
        CannotWrite: the system refuses to write, e.g. for want of room.
    """
    if not is_local(path):
        held = io.BytesIO()
        yield held
        put(path, held.getvalue())
        return
    part = path.with_name(f"{OURS}{secrets.token_hex(8)}.part")
    with writing(path):
        handle = os.open(part, _CREATE, 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` in UTF-8; half a character (a lone surrogate) is spelt out, `\\udc80`.

    Raises CannotWrite as `new_file` does.
    """
    with new_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON. Raises CannotWrite, and ValueError for NaN or an infinite number."""
    write_text(path, json_text(value) + "\n")


def read_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file, or None if there is no file.

    Raises UserError if the file cannot be read, or holds anything else; NaN is no JSON.
    """
    try:
        if not (os.path.lexists(path) if is_local(path) else path.exists()):
            return None
        if not path.is_file():  # a pipe would never end, nor would a device
            raise UserError(f"{path} cannot be read: expected a file")
        text = path.read_bytes().decode("utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {read_failure(error)}") from error
    try:
        value = json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise UserError(f"{path} cannot be read as JSON: it is nested too deeply") from error
    except ValueError as error:
        raise UserError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} holds {json_kind(value)}, expected a JSON object")
    return value


def json_kind(value: Any) -> str:
    """What a value that was read from JSON is, in words.

    >>> json_kind(None), json_kind([1])
    ('null', 'a list')
    """
    return _JSON_NAMES[type(value)]


def json_text(value: Any) -> str:
    """A value as JSON that any reader takes: lone surrogates are escaped, NaN is a ValueError.

    >>> json_text({"é": "\\ud800"})
    '{\\n "é": "\\\\ud800"\\n}'
    """
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def file_name(name: str) -> str:
    """A name that a file can have: one that is too long is cut, with a hash of what it was.

    >>> file_name("8-res-jb"), len(file_name("8-res-" + 250 * "x"))
    ('8-res-jb', 150)
    """
    whole = name.encode("utf-8", "backslashreplace")
    if len(whole) <= LONGEST and "/" not in name and "\0" not in name:
        return name
    ending = "-" + hashlib.sha256(whole).hexdigest()[:16]
    head = whole[: LONGEST - len(ending)].decode("utf-8", "ignore")
    return head.replace("/", "_").replace("\0", "_") + ending


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raises CannotWrite, naming `path` and the reason, for whatever cannot be written in there."""
    try:
        yield
    except CannotWrite as error:
        raise CannotWrite(path, error.reason) from error
    except OSError as error:
        raise CannotWrite(path, error.strerror or str(error)) from error


def real_folder(path: Path) -> Path:
    """The folder `path`, made if need be with the folders above it.

    Raises CannotWrite if it cannot be made, or if a link or a file stands in its place: what is
    written there would end up somewhere else. At a URL a folder is there with its first file.
    """
    if not is_local(path):
        return path
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
        if not stat.S_ISDIR(path.lstat().st_mode):
            raise CannotWrite(path, f"{path} is a link, expected a folder")
    return path


def remove_parts(folder: Path) -> None:
    """Remove what killed processes left half-written in `folder`; its lock must be held."""
    with suppress(OSError):
        for path in list(folder.iterdir()):
            if PART.fullmatch(path.name):
                with suppress(OSError):
                    path.unlink()


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number of JSON")


def read_failure(error: OSError | ValueError) -> str:
    """Why a file could not be read, in the words of the system."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
