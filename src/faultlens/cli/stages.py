"""Stages of work as they are shown: bars on a terminal, lines of text in a log."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import final

from faultlens.cli.visible import visible
from faultlens.progress import Progress, Tick

EVERY = 10.0  # seconds between two lines of one stage


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Where a command's stages are shown, on standard error, and where an interrupt is noticed.

    On a terminal each stage has a bar with rate and time left; elsewhere it has a line when it
    begins, and one every ten seconds.
    """
    with interrupts() as stop_if_asked:
        if sys.stderr is not None and sys.stderr.isatty():
            with _bars(stop_if_asked) as bars:
                yield bars
        else:
            yield Lines(stop_if_asked)


@final
class Lines:
    """Stages as lines on standard error, for a log.

    Args:
        stop_if_asked: called at every word of the work; raises if it is to stop.
        clock: seconds.
    """

    def __init__(
        self, stop_if_asked: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stop_if_asked, self._clock = stop_if_asked, clock

    def start(self, stage: str, total: int) -> Tick:
        self._stop_if_asked()
        began = said = self._clock()
        done = 0
        _line(f"{stage}: 0 of {total:,}")

        def tick(more: int) -> None:
            nonlocal done, said
            self._stop_if_asked()
            done += more
            now = self._clock()
            if now - said >= EVERY or (more and done == total and now - began >= EVERY):
                said = now
                _line(f"{stage}: {done:,} of {total:,}, {now - began:,.0f} s")

        return tick


def _line(text: str) -> None:
    if sys.stderr is None:
        return
    with suppress(OSError, ValueError):  # nobody reads it: no reason to stop the work
        encoding = sys.stderr.encoding or "utf-8"
        sys.stderr.write(visible(text).encode(encoding, "replace").decode(encoding) + "\n")
        sys.stderr.flush()


@contextmanager
def _bars(stop_if_asked: Callable[[], None]) -> Iterator[Progress]:
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
            bar = bars.add_task(visible(stage), total=total)

            def tick(done: int) -> None:
                stop_if_asked()
                bars.advance(bar, done)

            return tick

    with Bars(
        TextColumn("{task.description:<24}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bars:
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
