"""The terminal: progress and warnings go to standard error, results to standard output."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from faultlens.progress import Progress, Tick


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """A bar for each stage of the work, on standard error, with rate and time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f}/s" if speed >= 10 else
                        f"{speed:.1f}/s")  # fmt: skip

    class Shown:
        def start(self, stage: str, total: int) -> Tick:
            stop_if_asked()
            bar = bars.add_task(stage, total=total)

            def tick(done: int) -> None:
                stop_if_asked()
                bars.advance(bar, done)

            return tick

    with (
        interrupts() as stop_if_asked,
        Bars(
            TextColumn("{task.description:<24}"),
            BarColumn(),
            MofNCompleteColumn(),
            Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        ) as bars,
    ):
        yield Shown()


@contextmanager
def interrupts() -> Iterator[Callable[[], None]]:
    """An interrupt raises KeyboardInterrupt, and so does every later call of what is yielded.

    One that comes in a destructor or a callback of a library is lost on Python, and the work would
    go on to its end as if nobody had asked it to stop.
    """
    asked = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        raise KeyboardInterrupt

    def stop_if_asked() -> None:
        if asked:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield stop_if_asked  # no signal reaches it
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield stop_if_asked
    finally:
        signal.signal(signal.SIGINT, before)


def quiet_libraries() -> None:
    """Keep other libraries' advice off the terminal; call before they are imported."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")


def warn(sentences: Sequence[str]) -> None:
    """Print warnings on standard error, one a line."""
    for sentence in sentences:
        print(f"warning: {sentence}", file=sys.stderr)


def say(lines: Sequence[str]) -> None:
    """Print lines of text as they are."""
    sys.stdout.write("\n".join(lines) + "\n")


def say_json(result: dict[str, Any]) -> None:
    """Print a result as JSON."""
    from faultlens.serialisation import json_text

    sys.stdout.write(json_text(result))
