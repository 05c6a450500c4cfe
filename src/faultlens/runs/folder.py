"""The manifest of a run: what it takes to run the same again, and the hash of every file.

The command, its arguments, seeds, versions, and hashes of model, dictionaries and input. It is also
the record of what FaultLens wrote into the folder: nothing else there is ever replaced or deleted.
"""

from __future__ import annotations

import datetime
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from faultlens.errors import UserError
from faultlens.runs.files import file_digest, read_failure, read_object, write_json

MANIFEST, PROFILE, AUDIT, PAGE = "manifest.json", "profile.json", "audit.json", "report.html"
STREAMED = "streamed.json"  # of a profile that keeps statistics alone
PACKAGES = ("faultlens", "torch", "transformers", "numpy", "scipy", "scikit-learn", "pandas")
_DIGEST = re.compile("[0-9a-f]{64}")


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


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of the run in `folder`, or None if there is no `manifest.json`.

    Raises UserError if the file cannot be read, or is not the manifest of a run.
    """
    path = folder / MANIFEST
    record = read_object(path)
    if record is None:
        return None
    if "plan" in record:
        raise UserError(f"{folder} holds a store of faultlens read, expected a run")
    if not _is_manifest(record):
        raise UserError(f"{path} is not the manifest of a run of FaultLens, or it is damaged")
    return record


def read_result(folder: Path, name: str) -> dict[str, Any] | None:
    """One of a run's JSON files as the run wrote it, or None if the run has none of that name.

    Raises UserError if the file is there and cannot be read, if it is not the file whose hash the
    manifest holds, or if the manifest lists it and it is gone.
    """
    if name == MANIFEST:
        return read_manifest(folder)
    written_file(folder, name)
    return read_object(folder / name)


def written_file(folder: Path, name: str) -> Path | None:
    """A file of a run, as the run wrote it; None if the manifest does not list it, or is not there.

    Raises UserError if the manifest cannot be read, or lists the file and it is gone or another.
    """
    manifest = read_manifest(folder)
    digest = None if manifest is None else manifest["files"].get(name)
    if digest is None:
        return None
    path = folder / name
    if not path.is_file():
        raise UserError(f"{path} is missing, and the manifest beside it lists it: run it again")
    try:
        found = file_digest(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {read_failure(error)}") from error
    if found != digest:
        raise UserError(
            f"{path} is not the file that the run wrote (its hash is not that of the manifest): "
            "restore it, or run it again"
        )
    return path


def listed_files(manifest: Mapping[str, Any]) -> set[str]:
    """The names of all files that a run wrote, relative to its folder, by its manifest."""
    return {MANIFEST, PAGE, *manifest["files"]}


def _is_manifest(record: Mapping[str, Any]) -> bool:
    """Whether a record has the fields of a manifest, of the types that they have."""
    kinds = {"command": list, "arguments": dict, "versions": dict, "files": dict}
    if not all(isinstance(record.get(name), kind) for name, kind in kinds.items()):
        return False
    return "faultlens" in record["versions"] and all(
        isinstance(digest, str) and _DIGEST.fullmatch(digest) and _within(name)
        for name, digest in record["files"].items()
    )


def _within(name: str) -> bool:
    """Whether a listed file lies in the folder of its manifest."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


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
