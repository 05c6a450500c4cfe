"""A study's whole result: written to a file of its own, read back, and shown in a notebook."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Self

from faultlens.runs.files import write_json, writing
from faultlens.serialisation import from_json, to_json


class Versioned:
    """A whole record that is written as JSON and read back; each is a frozen dataclass of its own.

    Attributes:
        FORMAT_VERSION: of what is written.
    """

    FORMAT_VERSION: ClassVar[int]

    def to_dict(self) -> dict[str, Any]:
        """Everything that is written, in the shape of the JSON.

        Raises ValueError for a number that is not finite.
        """
        data: dict[str, Any] = to_json(self)
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The record that `to_dict` wrote.

        Raises UserError for another format version, an unknown or a missing key, and a value of
        another type.
        """
        return from_json(cls, data)


class Saved(Versioned):
    """A whole record that has a file in a run folder.

    Attributes:
        FILE: the file's name.
    """

    FILE: ClassVar[str]

    def save(self, folder: str | Path) -> Path:
        """Write the file into `folder`, which is made if need be; returns the file's path.

        A reader sees the old file or the new one, whole.

        Raises:
            ValueError: a number that is not finite; nothing is written.
            CannotWrite: the system refuses to write.
        """
        record, path = self.to_dict(), Path(folder) / self.FILE
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, record)
        return path


class Result(Saved):
    """A study's result, which the report shows."""

    def _repr_html_(self) -> str:
        """The notebook view: the answer and the list, in the report's words.

        The report is found by its name: a result knows nothing of how it is shown.
        """
        return str(import_module("faultlens.report.notebook").view(self))
