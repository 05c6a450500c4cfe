"""Checkpoint of a training run: the state of every trainer after a block, or nothing at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from faultlens.errors import CannotWrite, UserError
from faultlens.runs.checkpoint import STILL_THERE
from faultlens.runs.files import new_file
from faultlens.training.trainer import Trainer

STATE = "unfinished.pt"


@dataclass(frozen=True)
class TrainingCheckpoint:
    """Where the state of an unfinished run lies."""

    folder: Path

    @property
    def _path(self) -> Path:
        return self.folder / STATE

    @property
    def begun(self) -> bool:
        """Whether a state was kept."""
        return self._path.exists()

    def write(self, trainers: Sequence[Trainer], blocks: int) -> None:
        """Keep the state after so many blocks; a reader sees the old state or the new one.

        Raises CannotWrite if there is no room for it; the old state stays.
        """
        state = {"blocks": blocks, "trainers": [trainer.state() for trainer in trainers]}
        try:
            with new_file(self._path) as file:
                torch.save(state, file)
        except CannotWrite as error:
            raise CannotWrite(self._path, error.reason, STILL_THERE) from error

    def resume(self, trainers: Sequence[Trainer]) -> int:
        """Put kept states into the trainers, and say after how many blocks they were kept.

        Raises UserError for a state that cannot be read.
        """
        if not self.begun:
            return 0
        try:
            kept = torch.load(self._path, weights_only=True, map_location="cpu")
            for trainer, state in zip(trainers, kept["trainers"], strict=True):
                trainer.resume(state)
            return int(kept["blocks"])
        except Exception as error:  # whatever a damaged file makes the reader raise
            raise UserError(
                f"{self._path} cannot be read ({type(error).__name__}): expected the state of an "
                "unfinished training run; delete it to begin this run anew"
            ) from error

    def forget(self) -> None:
        """The run is finished: nothing goes on from here."""
        self._path.unlink(missing_ok=True)
