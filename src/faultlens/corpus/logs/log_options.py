"""Options of an evaluation log: what it leaves open of the outcome that counts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from faultlens.errors import UserError

MAJORITY = "majority"


@dataclass(frozen=True)
class LogOptions:
    """What an evaluation log leaves open."""

    scorer: str | None = None
    """The scorer of inspect_ai (`NAME`, or `NAME:PART` of a score with several), the metric of
    lm-eval or the result of every-eval-ever whose outcome counts. By default the only one; of
    multiple choice in lm-eval `acc`."""
    epoch: str | None = None
    """Of inspect_ai, the epoch that counts where samples ran more than once, from 1; or `majority`,
    what most epochs of a sample say."""
    filter: str | None = None
    """Of lm-eval, the filter whose answers count; by default the only one."""
    threshold: float | None = None
    """The least score that is a success, where scores are no yes or no."""

    def __post_init__(self) -> None:
        if self.epoch is not None and self.epoch != MAJORITY and not _is_count(self.epoch):
            raise UserError(f"epoch {self.epoch!r}: expected a number from 1, or {MAJORITY}")
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise UserError(f"threshold {self.threshold}: expected a number")

    @property
    def chosen(self) -> dict[str, Any]:
        """Those that are given."""
        return {name: value for name, value in vars(self).items() if value is not None}


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0
