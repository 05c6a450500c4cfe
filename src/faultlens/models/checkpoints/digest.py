"""Digest: SHA-256 over the files that decide a model's numbers.

A file that has not changed since is not hashed again in the same process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from faultlens.errors import UserError

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
BESIDE = ("*.json", "merges.txt", "vocab.txt", "*.model", "*.tiktoken", "chat_template.jinja")
ADAPTER = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
_CHUNK = 2**22

Stamp = tuple[str, int, int, int]
"""A file's path, size, time of its last change in nanoseconds, and inode."""


def folder_digest(folder: Path) -> str:
    """Over a model folder's weights, configuration and tokenizer; a PEFT adapter there is left out.

    Raises UserError for a file that cannot be read.
    """
    weights = {path for pattern in WEIGHTS for path in folder.glob(pattern)}
    beside = {path for pattern in BESIDE for path in folder.glob(pattern)}
    return files_digest([p for p in sorted(weights | beside) if p.name not in ADAPTER])


def files_digest(paths: Sequence[Path], named: bool = True) -> str:
    """Over some files' bytes, in order, with their names or without.

    Raises UserError for one that cannot be read.
    """
    try:
        return _digest(tuple(_stamp(path) for path in paths), named)
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}") from error


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    return str(path), found.st_size, found.st_mtime_ns, found.st_ino


@lru_cache(maxsize=256)
def _digest(stamps: tuple[Stamp, ...], named: bool) -> str:
    digest = hashlib.sha256()
    for name, *_ in stamps:
        path = Path(name)
        if named:
            digest.update(path.name.encode())
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
