"""Checkpoint of a corpus's statistics: what was merged so far, or nothing at all."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from faultlens.features.dataset.plan import Plan
from faultlens.features.dataset.record import plan_of, read_record
from faultlens.features.streaming import StreamingStatistics
from faultlens.runs.files import new_file, real_folder, write_json

PLAN, STATE = "statistics-plan.json", "statistics.npz"
DONE = "done"  # stretches and tokens
DAMAGED = (OSError, ValueError, KeyError, EOFError, NotImplementedError, BadZipFile, zlib.error)


@dataclass(frozen=True)
class StatisticsCheckpoint:
    """Where unfinished statistics lie; without a folder nothing is kept."""

    folder: Path | None

    def plan(self) -> Plan | None:
        """The plan of what was begun; None where nothing was, or it cannot be read."""
        if self.folder is not None:
            with suppress(ValueError):
                return plan_of(read_record(self.folder / PLAN))
        return None

    def begin(self, plan: Plan) -> None:
        """Keep the plan; what was kept of another one is thrown away."""
        if self.folder is None:
            return
        before = self.plan()
        if before is None or before.to_dict() != plan.to_dict():
            self.forget()
            write_json(real_folder(self.folder) / PLAN, {"plan": plan.to_dict()})

    def write(self, kept: Mapping[str, StreamingStatistics], stretches: int, tokens: int) -> None:
        """Keep what was merged of so many stretches.

        Raises CannotWrite if there is no room for it; what was kept before stays.
        """
        if self.folder is None:
            return
        arrays = {
            f"{place}/{name}": array
            for place, statistics in enumerate(kept.values())
            for name, array in statistics.state().items()
        }
        with new_file(self.folder / STATE) as file:
            np.savez(file, allow_pickle=False, **{DONE: np.array([stretches, tokens])}, **arrays)

    def resume(self, into: Mapping[str, StreamingStatistics]) -> tuple[int, int]:
        """Put what was kept into these; how many stretches and tokens it is of, or none."""
        if self.folder is None or not (self.folder / STATE).is_file():
            return 0, 0
        fresh = [statistics.state() for statistics in into.values()]
        try:
            with (
                (self.folder / STATE).open("rb") as file,
                np.load(file, allow_pickle=False) as kept,
            ):
                for place, statistics in enumerate(into.values()):
                    names = [name for name in kept.files if name.startswith(f"{place}/")]
                    statistics.resume({name.partition("/")[2]: kept[name] for name in names})
                stretches, tokens = kept[DONE].tolist()
        except DAMAGED:
            for statistics, state in zip(into.values(), fresh, strict=True):
                statistics.resume(state)
            return 0, 0
        return int(stretches), int(tokens)

    def forget(self) -> None:
        """The statistics are used: nothing goes on from here."""
        if self.folder is not None:
            for name in (PLAN, STATE):
                (self.folder / name).unlink(missing_ok=True)
