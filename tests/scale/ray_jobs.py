"""Jobs for the workers of the tests. Imports next to nothing, as workers start by importing it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from faultlens.errors import CannotWrite, UserError


@dataclass(frozen=True)
class Beginning:
    """A worker that does what `work` says."""

    work: Callable[[Any], Any]

    def __call__(self) -> Callable[[Any], Any]:
        return self.work


def dies_once(job: tuple[int, str]) -> int:
    """The seventh job kills its worker the first time it is done."""
    number, marker = job
    if number == 6 and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def dies_always(job: int) -> int:
    if job == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return job


def hangs_once(job: tuple[int, str]) -> int:
    """The last job never ends in the first worker that has it."""
    number, marker = job
    if number == 9:
        try:
            Path(marker).touch(exist_ok=False)
            time.sleep(600)
        except FileExistsError:
            pass
    return number


@dataclass(frozen=True)
class SlowToBegin:
    """Notes each job and its worker; all workers but the first take a while to begin."""

    folder: str

    def __call__(self) -> Callable[[float], float]:
        try:
            Path(self.folder).mkdir()
        except FileExistsError:
            time.sleep(1.0)
        return self._noted

    def _noted(self, job: float) -> float:
        (Path(self.folder) / f"{job}-{os.getpid()}").touch()
        time.sleep(job)
        return job


def changes_in_place(job: np.ndarray) -> float:
    job += 1
    return float(job.sum())


def refuses(job: int) -> int:
    if job == 1:
        raise UserError("text 2 has no tokens")
    if job == 2:
        raise CannotWrite(Path("store"), "no room", "the rest is kept")
    return job


def lens_whose_worker_dies(marker: str) -> Any:
    """A lens of two dictionaries; the first worker that attributes by one is killed at it."""
    import faultlens as fl
    from faultlens.auditing.interventions import causal_tests

    real = causal_tests.site_attribution

    def attributed(*given: Any, **more: Any) -> Any:
        if not Path(marker).exists():
            Path(marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given, **more)

    causal_tests.site_attribution = attributed
    return fl.load("mini", layers=[2, 3], threads=1).unchecked()


def cannot_begin() -> Any:
    raise UserError("no model 'x'")
