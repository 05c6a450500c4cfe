"""Shard work: what a worker does with the texts of a shard; the same on every machine.

A worker opens its own lens, is held to the plan's shapes and threads, and writes a shard's files
and then its record. So a shard whose record is there is finished, whoever read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import final

import numpy as np
import torch

from faultlens.corpus.text_source import Texts
from faultlens.errors import CannotWrite, UserError
from faultlens.features.dataset.plan import Plan
from faultlens.features.dataset.record import Finished, Hashes
from faultlens.features.dataset.shard import write_shard
from faultlens.features.dataset.survey import Shard
from faultlens.features.encoding_choice import renew_screens
from faultlens.features.lens import Lens
from faultlens.features.reading import Reader
from faultlens.features.store import ActivationStore, Firings
from faultlens.features.text_tokens import TextTokens, tokenize
from faultlens.features.token_choice import LeftOut, counted
from faultlens.runs.checkpoint import STILL_THERE
from faultlens.runs.files import write_json

UNFINISHED = "unfinished"


@dataclass(frozen=True)
class ShardJob:
    """A shard to read, and its texts."""

    shard: Shard
    texts: Sequence[str]


@dataclass(frozen=True)
class ShardDone:
    """A shard that was read and written."""

    shard: Shard
    finished: Finished


@dataclass(frozen=True, eq=False)
class ShardReader:
    """How shards are read under a plan; called, it makes a worker ready.

    Attributes:
        open: gives the worker its lens, once.
        plan: what decides the bytes.
        first: the texts from which screens are made, in tokens.
    """

    open: Callable[[], Lens]
    plan: Plan
    first: Sequence[TextTokens]

    def reader(self) -> Reader:
        """What reads the texts of any shard.

        Raises UserError where the lens is of another model or dictionary than the plan.
        """
        lens, plan = self.open(), self.plan
        plan.check_read_by(lens)
        torch.set_num_threads(plan.threads)
        if plan.shapes.encoding != "plain":
            first = lens.first_values(self.first, plan.shapes)
            renew_screens(lens.dictionaries, plan.shapes.encoding, first)
        return lens.reader(plan.shapes)


@dataclass(frozen=True, eq=False)
class ShardWriting:
    """Reads shards and writes them to a store; called, it makes a worker ready.

    Attributes:
        how: they are read.
        folder: of the store.
        recorded: whether each finished shard is recorded beside the others, as long as the store is
            not finished.
    """

    how: ShardReader
    folder: Path
    recorded: bool

    def __call__(self) -> Callable[[ShardJob], ShardDone]:
        return _Writer(self, self.how.reader())


@final
class _Writer:
    """A worker that is ready. Two threads may call it: one computes while the other writes."""

    def __init__(self, work: ShardWriting, reader: Reader) -> None:
        self._work, self._reader, self._computing = work, reader, Lock()

    def __call__(self, job: ShardJob) -> ShardDone:
        plan, folder, shard = self._work.how.plan, self._work.folder, job.shard
        with self._computing:
            store, left_out = self._read(job)
        hashes: Hashes = {}
        for name in plan.dictionaries:
            found = store.firings(name)
            text = found.text + np.int32(shard.first)
            path = shard.path(folder, name)
            firings = Firings(text, found.position, found.feature, found.activation)
            try:
                hashes[name] = write_shard(path, firings, plan.precision)
            except CannotWrite as error:
                raise CannotWrite(path, error.reason, STILL_THERE) from error
            store.drop(name)
        model = self._reader.model
        done = Finished(hashes, {n: counted(model, tokens) for n, tokens in left_out.items()})
        if self._work.recorded:
            write_json(record_path(folder, shard), done.to_dict())
        return ShardDone(shard, done)

    def _read(self, job: ShardJob) -> tuple[ActivationStore, dict[str, list[LeftOut]]]:
        plan, store = self._work.how.plan, ActivationStore()
        left_out: dict[str, list[LeftOut]] = {name: [] for name in plan.dictionaries}
        for read in self._reader.read(tokens_of(job, self._reader, plan)):
            store.add(read)
            for name, seen in read.activations.items():
                left_out[name].append(seen.left_out)
        return store, left_out


def tokens_of(job: ShardJob, reader: Reader, plan: Plan) -> list[TextTokens]:
    """The texts of a job in tokens. Raises UserError if they are not those of the plan."""
    found = tokenize(reader.model, reader.dictionaries, job.texts, plan.long)
    if sum(map(len, found)) != job.shard.tokens:
        raise UserError(
            f"texts {job.shard.first + 1} to {job.shard.last} are not those that the plan was made "
            f"of: expected {job.shard.tokens} tokens, got {sum(map(len, found))}; the corpus was "
            "changed while it was read, or a worker has another tokenizer"
        )
    return found


def record_path(folder: Path, shard: Shard) -> Path:
    """Where a finished shard is recorded until all are."""
    return folder / UNFINISHED / f"{shard.number:05d}.json"


def jobs_of(texts: Texts, shards: Iterable[Shard], done: Iterable[int]) -> Iterator[ShardJob]:
    """The shards that are not done, each with its texts, in order."""
    feed, whole = iter(texts), set(done)
    for shard in shards:
        mine = list(islice(feed, shard.last - shard.first))
        if shard.number not in whole:
            yield ShardJob(shard, mine)


@contextmanager
def threads_restored() -> Iterator[None]:
    """PyTorch's number of threads is put back when the block ends."""
    own = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(own)
