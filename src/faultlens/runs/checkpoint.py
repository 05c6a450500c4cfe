"""Checkpoint: finished stages of a run that may be interrupted: it goes on where it stopped.

Each stage's result is a frozen dataclass, written whole or not at all. They lie in the folder for
work in progress, beside the run (claim.py), each with the key of what is being run and a hash of
itself: a stage of another key, or one that is not as it was written, is made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from faultlens.errors import CannotWrite, UserError
from faultlens.runs.files import OURS, file_name, json_text, read_object, real_folder, write_json
from faultlens.serialisation import from_json, to_json

Kind = TypeVar("Kind")
KEY = "key.json"
STILL_THERE = "what was finished before is kept, and the same command goes on from there"


@dataclass(frozen=True)
class Checkpoint:
    """Where finished stages are kept; without a folder nothing is.

    Attributes:
        folder: theirs.
        key: SHA-256 of all that decides the run.

    >>> @dataclass(frozen=True)
    ... class Sum:
    ...     total: int
    >>> Checkpoint().once("sum", Sum, lambda: Sum(3))
    Sum(total=3)
    """

    folder: Path | None = None
    key: str = ""

    @classmethod
    def kept_in(cls, folder: Path, key: Mapping[str, Any]) -> Checkpoint:
        """The checkpoint of a run whose work lies in `folder`; stages of another key are removed.

        Args:
            folder: made if need be; the lock on the run is held there.
            key: all that decides the run, as JSON has it.

        Raises CannotWrite if the folder cannot be written.
        """
        wanted = json.loads(json_text(dict(key)))
        real_folder(folder)
        try:
            same = read_object(folder / KEY) == wanted
        except UserError:
            same = False
        if not same:
            _clear(folder)
            write_json(folder / KEY, wanted)
        return cls(folder, _digest(wanted))

    @property
    def stages(self) -> list[str]:
        """The names of the stages that are finished."""
        if self.folder is None or not self.folder.is_dir():
            return []
        return sorted(path.stem for path in self.folder.glob("*.json") if path.name != KEY)

    def within(self, name: str) -> Checkpoint:
        """A checkpoint of its own for a part of the run, e.g. one seed."""
        if self.folder is None:
            return self
        return Checkpoint(real_folder(self.folder / name), self.key)

    def once(self, name: str, kind: type[Kind], make: Callable[[], Kind]) -> Kind:
        """The stage's result: read if it is finished and whole, else made and kept.

        Args:
            name: of the stage.
            kind: the dataclass that the result is.
            make: carries the stage out.

        Raises:
            CannotWrite: the result cannot be kept; the stages before it are.
        """
        found = self.finished(name, kind)
        return self.keep(name, make()) if found is None else found

    def finished(self, name: str, kind: type[Kind]) -> Kind | None:
        """The stage's result as it was kept; None: it is not there, or not as it was written."""
        if self.folder is None:
            return None
        try:
            return from_json(kind, self._whole(self._path(self.folder, name)))
        except (UserError, ValueError):
            return None  # not there, damaged, or of another version

    def keep(self, name: str, made: Kind) -> Kind:
        """Keep a stage's result, and give it back. Raises CannotWrite."""
        if self.folder is None:
            return made
        path, result = self._path(self.folder, name), to_json(made)
        record = {"key": self.key, "digest": _digest(result), "result": result}
        try:
            write_json(path, record)
        except CannotWrite as error:
            raise CannotWrite(path, error.reason, STILL_THERE) from error
        return made

    @contextmanager
    def unless_refused(self) -> Iterator[None]:
        """Throw the stages away if the block ends in a user's mistake: it would end there again."""
        try:
            yield
        except CannotWrite:
            raise
        except UserError:
            self.forget()
            raise

    def forget(self) -> None:
        """Throw the stages away: the run is written."""
        if self.folder is not None:
            _clear(self.folder)
            with suppress(OSError):
                self.folder.rmdir()

    @staticmethod
    def _path(folder: Path, name: str) -> Path:
        return folder / f"{file_name(name)}.json"

    def _whole(self, path: Path) -> dict[str, Any]:
        """A stage's result as it was written. Raises ValueError if it is not."""
        record = read_object(path)
        if record is None:
            raise ValueError(f"no stage {path}")
        result = record.get("result")
        if (
            record.get("key") != self.key
            or not isinstance(result, dict)
            or record.get("digest") != _digest(result)
        ):
            raise ValueError(f"{path} is not as it was written, or of another run")
        return result


def _digest(value: Any) -> str:
    return hashlib.sha256(json_text(value).encode()).hexdigest()


def _clear(folder: Path) -> None:
    """Remove the stages in a folder and in those of its parts; whatever else lies there stays."""
    with suppress(OSError):
        for path in list(folder.iterdir()):
            if path.name.startswith(OURS):
                continue  # not stages: what claim.py puts together there
            if path.is_dir() and not path.is_symlink():
                _clear(path)
                with suppress(OSError):
                    path.rmdir()
            elif path.suffix == ".json":
                with suppress(OSError):
                    path.unlink()
