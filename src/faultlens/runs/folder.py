"""A run is a folder: `manifest.json`, results, tables and the page.

The manifest says what it takes to run the same again: the command, its arguments, seeds, versions,
and hashes of model, dictionaries and input.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from faultlens.errors import UserError
from faultlens.runs.files import file_digest, whole_folder, write_json

MANIFEST, PROFILE, AUDIT, PAGE = "manifest.json", "profile.json", "audit.json", "report.html"
PACKAGES = ("faultlens", "torch", "transformers", "numpy", "scipy", "scikit-learn", "pandas")


@dataclass
class Manifest:
    """What produced a run; `inputs` and `conventions` are filled while it goes on."""

    command: list[str]
    arguments: dict[str, Any]
    started: str
    versions: dict[str, str]
    platform: str
    inputs: dict[str, Any] = field(default_factory=dict)  # digests of model, dictionaries, corpus
    conventions: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def begin(cls, arguments: dict[str, Any]) -> Manifest:
        """The manifest of a run that starts now, with these arguments in force."""
        return cls(
            command=[Path(sys.argv[0]).name, *sys.argv[1:]],
            arguments=arguments,
            started=_now(),
            versions={"python": platform.python_version(), **_versions()},
            platform=platform.platform(),
        )

    def write(self, folder: Path) -> None:
        """Write `manifest.json`, with the hash of every other file there is but the page."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        record = {
            **vars(self),
            "finished": _now(),
            "files": {
                path.relative_to(folder).as_posix(): file_digest(path)
                for path in files
                if path.name not in (MANIFEST, PAGE)
            },
        }
        write_json(folder / MANIFEST, record)


@contextmanager
def run_folder(target: Path, overwrite: bool) -> Iterator[Path]:
    """A run folder to fill; it is there when the block ends well, and nothing is left otherwise.

    Raises UserError if `target` is there and is not a run, or is one and `overwrite` is false.
    """
    check_target(target, overwrite)
    with whole_folder(target) as folder:
        yield folder


def check_target(target: Path, overwrite: bool) -> None:
    """Raises UserError unless a run may be written to `target`; call it before the long work."""
    home = next(parent for parent in target.absolute().parents if parent.exists())
    if not home.is_dir() or not os.access(home, os.W_OK | os.X_OK):
        raise UserError(f"{target} cannot be written: {home} is not a folder open to you")
    if not target.exists():
        return
    if not target.is_dir() or (any(target.iterdir()) and not (target / MANIFEST).is_file()):
        raise UserError(f"{target} exists and is not a run folder: choose another --out")
    if not overwrite and any(target.iterdir()):
        raise UserError(f"{target} holds a run already: choose another --out, or give --overwrite")


def read_result(folder: Path, name: str) -> dict[str, Any] | None:
    """One of a run's JSON files, or None if the run has none of that name.

    Raises UserError if the file is there and cannot be read.
    """
    path = folder / name
    if not path.is_file():
        return None
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(result, dict):
        raise UserError(f"{path} holds no JSON object")
    return result


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
