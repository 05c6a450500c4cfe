"""The terminal: progress and warnings go to standard error, results to standard output.

Everything is written by the functions here, and so passes one filter (visible.py).
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TextIO

from faultlens.cli.stages import progress_bars
from faultlens.cli.visible import visible, visible_json
from faultlens.errors import UserError

__all__ = ["complain", "progress_bars", "quiet_libraries", "say", "say_json", "warn"]

READER_GONE = 141  # the exit code of a program that the system ends because nobody reads it


def quiet_libraries() -> None:
    """Keep other libraries' advice and bars off the terminal, best before they are imported."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")
    loaded = sys.modules.get("transformers.utils.logging")
    if loaded is not None:
        loaded.disable_progress_bar()


def warn(sentences: Sequence[str]) -> None:
    """Print warnings on standard error, one a line."""
    for sentence in sentences:
        complain(f"warning: {sentence}")


def complain(sentence: str) -> None:
    """Print a sentence on standard error; where that is closed or full, nobody is there to read."""
    if sys.stderr is None:
        return
    with suppress(OSError, ValueError):
        _write(sys.stderr, visible(sentence) + "\n")


def say(lines: Sequence[str]) -> None:
    """Print lines of text on standard output.

    Raises UserError if they cannot be written; ends the program quietly if nobody reads them.
    """
    _tell("".join(visible(line) + "\n" for line in lines))


def say_json(result: dict[str, Any]) -> None:
    """Print a result as JSON: valid, whatever its texts hold, and inert on a terminal."""
    plain_ascii = not _takes_unicode(sys.stdout)
    text = json.dumps(result, indent=1, ensure_ascii=plain_ascii, allow_nan=False)
    _tell(visible_json(text) + "\n")


def end_output() -> None:
    """Hand over what is still to be printed. Raises UserError, or ends, as `say` does."""
    if sys.stdout is not None:
        _tell("")


def _tell(text: str) -> None:
    if sys.stdout is None:
        raise UserError("standard output is closed: there is nowhere to print the result")
    try:
        _write(sys.stdout, text)
    except BrokenPipeError:
        _give_up(sys.stdout)
        raise SystemExit(READER_GONE) from None
    except OSError as error:
        _give_up(sys.stdout)
        raise UserError(f"standard output cannot be written: {error.strerror or error}") from error


def _write(stream: TextIO, text: str) -> None:
    """Characters that the stream's encoding has not are spelt out."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def _takes_unicode(stream: TextIO | None) -> bool:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return encoding.lower().replace("-", "").startswith("utf")


def _give_up(stream: TextIO) -> None:
    """Lead what is left in a stream's buffer to nowhere, or Python complains of it at its end."""
    with suppress(OSError, ValueError, io.UnsupportedOperation):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
