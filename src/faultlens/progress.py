"""How long work tells that it goes on: a study starts stages, the caller shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, final

Tick = Callable[[int], None]
"""Called with the number of items finished since the last call."""


def no_tick(done: int) -> None:
    """Tells nobody."""


class Progress(Protocol):
    """Where a study announces its stages."""

    def start(self, stage: str, total: int) -> Tick:
        """A stage of `total` items begins; tell the returned function what is done."""
        ...


@final
class Silent:
    """Shows nothing."""

    def start(self, stage: str, total: int) -> Tick:
        return no_tick


SILENT = Silent()
