"""How the program ends: an exit code, and one sentence for whatever a user can cause."""

from __future__ import annotations

import errno
import os
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn, TextIO

from faultlens.cli.screen import complain, end_output
from faultlens.errors import Interrupted, UserError

INTERRUPTED = 130  # as shells report it: 128 + SIGINT
REFUSED, FAULTY = 2, 1
OF_THE_SYSTEM = (
    errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.EROFS, errno.ENOSPC,
    errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOTDIR, errno.ESTALE,
)  # fmt: skip
"""What keeps a program from a file that is named rightly or wrongly, and is no fault of ours."""


def run_and_leave(command: Callable[[], int]) -> NoReturn:
    """Run a command and leave: with its code, with 2 for a mistake, with 130 for an interrupt.

    A mistake of the user's is one sentence on standard error, and so is what the system refuses; a
    fault of ours keeps its traceback, and ends with code 1.

    Args:
        command: returns its exit code; raises UserError for an option that cannot be understood.
    """
    _hold_standard_streams()
    code: str | int | None
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            code = _run(command)
        end_output()
    except (KeyboardInterrupt, SystemExit) as leave:
        code = leave.code if isinstance(leave, SystemExit) else INTERRUPTED
    except Interrupted as kept:
        complain(f"faultlens: interrupted; {kept}")
        raise SystemExit(INTERRUPTED) from None
    except UserError as error:
        complain(f"faultlens: {error}")
        raise SystemExit(REFUSED) from None
    except Exception:
        for line in traceback.format_exc().splitlines():
            complain(line)
        raise SystemExit(FAULTY) from None
    if code == INTERRUPTED:
        complain(
            "faultlens: interrupted. An audit with --out goes on where it stopped: give the same "
            "command again"
        )
    raise SystemExit(code)


def _run(command: Callable[[], int]) -> int:
    """The exit code of a command. Raises UserError for what the system refuses."""
    try:
        return command()
    except OSError as error:
        end_output()  # if it is standard output that failed, a sentence says so
        if error.filename is None or error.errno not in OF_THE_SYSTEM:
            raise
        raise UserError(f"{os.fsdecode(error.filename)}: {error.strerror}") from error


def _hold_standard_streams() -> None:
    """Lead closed standard streams to nowhere, or the next files opened take their numbers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    for shown in warnings.formatwarning(message, category, filename, lineno, line).splitlines():
        complain(shown)
