"""What the terminal shows of work that goes on, and how the work is stopped."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import pytest

from faultlens.cli.screen import progress_bars


def test_an_interrupt_that_was_lost_stops_the_work_at_its_next_word() -> None:
    before = signal.getsignal(signal.SIGINT)
    with progress_bars() as bars:
        tick = bars.start("Working", 10)
        tick(1)
        with suppress(KeyboardInterrupt):  # as Python does in a destructor
            os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            tick(1)
        with pytest.raises(KeyboardInterrupt):
            bars.start("Another", 1)
    assert signal.getsignal(signal.SIGINT) is before
    with progress_bars() as bars:
        bars.start("Another", 1)(1)
