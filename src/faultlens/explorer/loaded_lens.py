"""The model, loaded when something first needs it, and used by one reader at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from faultlens.features.lens import Lens


@final
class LoadedLens:
    """A lens that is opened on demand, and kept."""

    def __init__(self, opened: Callable[[], Lens]) -> None:
        """Takes what opens it; that may raise UserError, then and each time it is tried again."""
        self._opened = opened
        self._lens: Lens | None = None
        self._lock = threading.RLock()

    @contextmanager
    def used(self) -> Iterator[Lens]:
        """The lens, nobody else using it. Raises UserError if it cannot be opened."""
        with self._lock:
            if self._lens is None:
                self._lens = self._opened()
            yield self._lens
