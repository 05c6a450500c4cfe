"""Reading a dataset: by feature and by text, without loading the rest.

A feature's firings lie together in each shard, so that one row group a shard is read, or a few; a
text's lie in one shard, so that the others are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from faultlens.errors import UserError
from faultlens.features.dataset.plan import Plan
from faultlens.features.dataset.record import (
    Counts,
    finished_shards,
    plan_of,
    read_record,
    total_left_out,
)
from faultlens.features.dataset.shard import read_groups
from faultlens.features.dataset.shard_work import UNFINISHED
from faultlens.features.dataset.survey import Shard
from faultlens.features.dataset.writing import MANIFEST
from faultlens.features.store import Firings
from faultlens.runs.files import file_digest


@dataclass(eq=False)
class ActivationDataset:
    """A finished dataset.

    Attributes:
        folder: where it lies.
        plan: what it is of.
        files: by path within the folder, the SHA-256 of each file.
        left_out: of the tokens that do not count, by dictionary and reason (special, massive), how
            often each was there.
        row_groups_read: how many row groups the look-ups have read so far.
    """

    folder: Path
    plan: Plan
    files: dict[str, str]
    left_out: Counts
    row_groups_read: int = field(default=0, init=False)

    @classmethod
    def open(cls, folder: Path) -> ActivationDataset:
        """Raises UserError if the folder holds no dataset, one that is not finished or damaged."""
        if (folder / UNFINISHED).is_dir() and not (folder / MANIFEST).is_file():
            raise UserError(
                f"{folder} holds a store that is not finished: run the command that began it again"
            )
        if not (folder / MANIFEST).is_file():
            raise UserError(f"{folder} holds no store: expected one of faultlens read")
        try:
            record = read_record(folder / MANIFEST)
            if "plan" not in record:
                raise UserError(f"{folder} holds no store: expected one of faultlens read")
            plan = plan_of(record)
            shards = finished_shards(record, plan, folder)
        except ValueError as error:
            raise UserError(
                f"{folder / MANIFEST} is not the manifest of a store: {error}; write the store "
                "again, to another folder"
            ) from error
        return cls(folder, plan, record["files"], total_left_out(shards.values(), plan))

    @property
    def names(self) -> list[str]:
        """The dictionaries."""
        return list(self.plan.dictionaries)

    def feature(self, name: str, index: int) -> Firings:
        """Where a feature fires, by text and position. Raises UserError for an unknown one."""
        d_sae = self._dictionary(name)["d_sae"]
        if not 0 <= index < d_sae:
            raise UserError(f"{name} has the features 0 to {d_sae - 1}, and no {index}")
        return self._read(name, self.plan.shards, "feature", index)

    def text(self, name: str, text: int) -> Firings:
        """What fires in a text, by feature and position. Raises UserError for an unknown one."""
        self._dictionary(name)
        shards = [shard for shard in self.plan.shards if shard.first <= text < shard.last]
        if not shards:
            raise UserError(f"{self.folder} has the texts 0 to {self.plan.corpus['texts'] - 1}")
        return self._read(name, shards, "text_id", text)

    def damaged(self) -> list[Path]:
        """The files whose hash is not that of the manifest, or that are missing."""
        paths = {self.folder / name: expected for name, expected in self.files.items()}
        return [p for p, expected in paths.items() if not p.is_file() or file_digest(p) != expected]

    def _dictionary(self, name: str) -> dict[str, Any]:
        if name not in self.plan.dictionaries:
            raise UserError(
                f"{self.folder} has no dictionary {name!r}: expected one of {', '.join(self.names)}"
            )
        return self.plan.dictionaries[name]

    def _read(
        self, name: str, shards: tuple[Shard, ...] | list[Shard], column: str, value: int
    ) -> Firings:
        parts = []
        for shard in shards:
            found, groups = read_groups(shard.path(self.folder, name), column, value, value)
            self.row_groups_read += groups
            parts.append(found)
        columns = ("text", "position", "feature", "activation")
        return Firings(*(np.concatenate([getattr(p, c) for p in parts]) for c in columns))
