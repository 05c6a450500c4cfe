"""Spread: who does parts of an audit beside this process, and how each opens the same lens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from faultlens.scale.workers import Workers

if TYPE_CHECKING:
    from faultlens.features.lens import Lens
    from faultlens.models.model import Model


@dataclass(frozen=True, eq=False)
class Spread:
    """Who works, and how; picklable but for the workers.

    Attributes:
        workers: who audits other seeds or tasks, or makes the stages of one audit.
        open_lens: gives each the lens of this process, with as many threads.
        open_base: gives each the model that the lens's was tuned from, where tasks are spread and
            it is to be run; None: it is not.
    """

    workers: Workers
    open_lens: Callable[[], Lens]
    open_base: Callable[[], Model] | None = None
