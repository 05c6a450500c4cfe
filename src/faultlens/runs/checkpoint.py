"""Checkpoint: finished stages of a run that may be interrupted: it goes on where it stopped.

Each stage's result is a frozen dataclass, written whole or not at all. They lie beside the run
folder until that is written, under a key that says what is being run: stages of another key are
thrown away.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from faultlens.errors import UserError
from faultlens.runs.files import write_json
from faultlens.serialisation import from_json, to_json

Kind = TypeVar("Kind")
KEY = "key.json"


@dataclass(frozen=True)
class Checkpoint:
    """Where finished stages are kept; without a folder nothing is.

    >>> @dataclass(frozen=True)
    ... class Sum:
    ...     total: int
    >>> Checkpoint(None).once("sum", Sum, lambda: Sum(3))
    Sum(total=3)
    """

    folder: Path | None = None

    @classmethod
    def beside(cls, run: Path, key: Mapping[str, Any]) -> Checkpoint:
        """The checkpoint of the run that will be written to `run`; `key`: all that decides it."""
        folder = run.absolute().parent / f".{run.name}.unfinished"
        wanted = json.loads(json.dumps(key))
        try:
            same = json.loads((folder / KEY).read_text(encoding="utf-8")) == wanted
        except (OSError, ValueError):
            same = False
        if not same:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            write_json(folder / KEY, wanted)
        return cls(folder)

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
        (self.folder / name).mkdir(exist_ok=True)
        return Checkpoint(self.folder / name)

    def once(self, name: str, kind: type[Kind], make: Callable[[], Kind]) -> Kind:
        """The stage's result: read if it is finished, else made and kept.

        Args:
            name: of the stage; a file name.
            kind: the dataclass that the result is.
            make: carries the stage out.
        """
        if self.folder is None:
            return make()
        path = self.folder / f"{name}.json"
        try:
            return from_json(kind, json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, UserError):  # not there, or of another version
            made = make()
            write_json(path, to_json(made))
            return made

    def forget(self) -> None:
        """Throw the stages away: the run is written."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
