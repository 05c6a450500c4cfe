"""A lock on a folder: one process at a time writes there; a dead process holds nothing.

The system itself frees the lock when its process ends, however it ends, so that a lock file which
is left behind by a killed process keeps nobody out.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from faultlens.errors import CannotWrite, UserError
from faultlens.runs.files import real_folder, writing
from faultlens.runs.location import is_local

LOCK = "lock"
"""The lock's file, within the folder that holds work in progress."""
_TRIES = 100  # a folder that vanishes under us each time: its holder finishes just then


@contextmanager
def held(work: Path, target: Path) -> Iterator[None]:
    """Keep other processes from writing `target` until the block ends.

    At a URL nothing can be locked: whoever writes there must see to it that two processes that do
    the same at once write the same files, each whole.

    Args:
        work: the folder for what is in progress; made if need be, and removed afterwards if it is
            empty.
        target: what is written, as the sentence for the other process names it.

    Raises:
        UserError: another process holds it.
        CannotWrite: the lock cannot be written there: no permission, no room, a name too long.
    """
    if not is_local(work):
        yield
        return
    made = [path for path in (work, *work.parents) if not os.path.lexists(path)]
    try:
        handle = _acquired(work, target)
        try:
            with writing(target):
                _sign(handle)
            yield
        finally:
            with suppress(OSError):
                (work / LOCK).unlink()
            os.close(handle)
    finally:
        for path in made or [work]:
            with suppress(OSError):
                path.rmdir()


def _acquired(work: Path, target: Path) -> int:
    """The handle of the lock's file, locked, with a note of who holds it."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    for _ in range(_TRIES):
        with writing(target):
            real_folder(work)
            try:
                handle = os.open(work / LOCK, flags, 0o644)
            except FileNotFoundError:
                if os.path.lexists(work):
                    raise
                continue
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise CannotWrite(target, f"{work / LOCK} is no file")
            if not _lock(handle):
                raise UserError(
                    f"{target} is being written by another process: wait for it "
                    f"({_holder(work / LOCK)}), or choose another --out"
                )
            if not _still_there(handle, work / LOCK):  # its holder removed it in between
                os.close(handle)
                continue
        except BaseException:
            os.close(handle)
            raise
        return handle
    raise CannotWrite(target, "its lock comes and goes")


def _lock(handle: int) -> bool:
    """Whether the file was free, and is locked now. Where there are no locks, all may enter."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True


def _still_there(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except OSError:
        return False


def _sign(handle: int) -> None:
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    note = {"process": os.getpid(), "host": socket.gethostname(), "command": command[:200]}
    os.ftruncate(handle, 0)
    os.write(handle, json.dumps(note).encode())
    os.fsync(handle)


def _holder(path: Path) -> str:
    """Who holds a lock, in words."""
    try:
        note = json.loads(path.read_bytes()[:4096])
        return f"process {int(note['process'])} on {note['host']}: {note['command']}"
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return "it has not said which"
