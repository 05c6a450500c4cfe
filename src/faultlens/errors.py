"""What a user can cause: a mistake, an interrupt, a disk without room; a sentence each."""

from __future__ import annotations

from pathlib import Path


class UserError(Exception):
    """Bad input. The message is one sentence for the user; the command line exits with code 2."""


class CannotWrite(UserError):  # noqa: N818  (named by what happened, as Interrupted is)
    """A file or folder cannot be written: no room, no permission, a name too long.

    The input is not to blame, so what was finished before is kept for the same command to go on
    from.

    Attributes:
        path: what could not be written.
        reason: why not, in the system's words.
    """

    def __init__(self, path: Path, reason: str, kept: str = "") -> None:
        super().__init__(f"{path} cannot be written: {reason}" + (f"; {kept}" if kept else ""))
        self.path, self.reason, self._kept = path, reason, kept

    def __reduce__(self) -> tuple[type[CannotWrite], tuple[Path, str, str]]:
        return type(self), (self.path, self.reason, self._kept)  # it may come from another process


class Interrupted(Exception):  # noqa: N818  (no error: the user wanted to stop)
    """Work was stopped with Ctrl-C. The message says what is kept; the exit code is 130."""
