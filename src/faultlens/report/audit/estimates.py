"""Estimates with their intervals, as cells."""

from __future__ import annotations

from faultlens.auditing.result import Interval
from faultlens.numbers import auroc, interval, signed
from faultlens.report.parts import Cell


def estimate(reading: Interval | None, missing: str = "infinite") -> Cell | str:
    """A change with its interval below it."""
    if reading is None:
        return missing
    return Cell(signed(reading.value), interval(reading.low, reading.high))


def area(reading: Interval | None) -> Cell | str:
    """An AUROC with its interval below it."""
    if reading is None:
        return "not defined"
    return Cell(auroc(reading.value), f"[{auroc(reading.low)}, {auroc(reading.high)}]")
