"""Where results lie: a folder of this machine, or a URL of any file system that fsspec knows.

A URL (`s3://bucket/store`, `gs://`, `memory://`) becomes a path with the methods of `pathlib.Path`,
by the package universal-pathlib, so that a reader or writer need not know which of the two it has.
What differs is how a file comes to be whole or not there: see `files.new_file`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from faultlens.errors import CannotWrite, UserError

ATOMIC = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci", "memory")
"""Protocols of stores in which an object that is put is there whole, or not at all."""
_URL = re.compile(r"[A-Za-z][\w+.-]+://")


def located(name: str | Path) -> Path:
    """The folder or URL of that name.

    Raises UserError for a URL that no installed package can read, or that does not answer.

    >>> located("runs/store"), is_local(located("runs/store"))
    (PosixPath('runs/store'), True)
    """
    if isinstance(name, Path) or not isinstance(name, str) or not _URL.match(name):
        return name if not isinstance(name, str) else Path(name)
    try:
        from upath import UPath
    except ImportError as error:
        raise UserError(
            f"{name} is a URL, and --out to one needs the library universal-pathlib: install it "
            "with pip install 'faultlens[ray]'"
        ) from error
    try:
        path: Any = UPath(name)
        path.exists()  # says what is missing: a package, a password, a host
    except Exception as error:  # each file system has errors of its own
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(f"{name} cannot be used: {reason}") from error
    return path  # type: ignore[no-any-return]


def is_local(path: Path) -> bool:
    """Whether a path is one of this machine's own, and no URL."""
    return isinstance(path, Path)


def put(path: Path, content: bytes) -> None:
    """Write a whole file to a URL: other readers see the old one or the new one.

    Raises CannotWrite, with what the file system said.
    """
    remote: Any = path
    try:
        system, name = remote.fs, remote.path
        if remote.protocol in ATOMIC:
            system.pipe_file(name, content)
            return
        part = f"{name}.part"
        system.makedirs(system._parent(name), exist_ok=True)
        system.pipe_file(part, content)
        system.mv(part, name)
    except Exception as error:  # each file system has errors of its own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise CannotWrite(path, reason) from error
