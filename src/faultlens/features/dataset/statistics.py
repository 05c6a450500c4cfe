"""Statistics of a corpus that is larger than memory: one pass, by this process or many workers.

The plan cuts the corpus into shards and these into stretches. A worker keeps the statistics of a
stretch, and the driver merges them in the order of the stretches, so that every sum has the same
bits whoever made it. From time to time the driver keeps what it has merged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import Protocol, final

import numpy as np

from faultlens.corpus.text_source import Texts
from faultlens.errors import UserError
from faultlens.features.dataset.plan import Plan
from faultlens.features.dataset.reading import ActivationDataset
from faultlens.features.dataset.shard import read_groups
from faultlens.features.dataset.shard_work import (
    ShardJob,
    ShardReader,
    jobs_of,
    threads_restored,
    tokens_of,
)
from faultlens.features.dataset.statistics_checkpoint import StatisticsCheckpoint
from faultlens.features.dataset.survey import Survey
from faultlens.features.dataset.writing import SHARD_TOKENS
from faultlens.features.lens import Lens
from faultlens.features.reading import Reader
from faultlens.features.reading_config import LONG, AskedEncoding, Long
from faultlens.features.streaming import FeatureStatistics, StreamingStatistics
from faultlens.progress import SILENT, Progress
from faultlens.scale.workers import ALONE, Workers

STRETCHES = 64  # at most; a worker's statistics of one are sent and merged at once
KEPT_EVERY = 60.0  # seconds between two checkpoints
TOP = 5  # strongest texts of a feature in a group

Kept = dict[str, StreamingStatistics]  # by dictionary


class Labelled(Texts, Protocol):
    """Texts with a category each, which can be gone through any number of times."""

    @property
    def categories(self) -> tuple[str, ...]: ...

    def labels(self) -> Iterator[str]:
        """The category of each text."""
        ...


@dataclass(frozen=True)
class Stretch:
    """Shards that one worker takes in, and the group of each text, by its number."""

    shards: tuple[ShardJob, ...]
    groups: np.ndarray


@dataclass(frozen=True)
class Taken:
    """The statistics of a stretch."""

    kept: Kept
    tokens: int


def corpus_statistics(
    lens: Lens,
    corpus: Labelled,
    *,
    long: Long = LONG,
    encoding: AskedEncoding | None = None,
    top: int = TOP,
    shard_tokens: int = SHARD_TOKENS,
    workers: Workers = ALONE,
    open_lens: Callable[[], Lens] | None = None,
    work: Path | None = None,
    progress: Progress = SILENT,
) -> dict[str, FeatureStatistics]:
    """What each feature does in each category, in memory that does not grow with the corpus.

    Args:
        lens: what to read through.
        corpus: the texts and their categories; none of them is held.
        long: what to do with a text longer than the context.
        encoding: how sites' values are encoded; None: as the lens says.
        top: strongest texts to keep for each feature and category.
        shard_tokens: tokens of a shard; decides the last bits of the sums.
        workers: who reads; whoever does, the numbers are the same to the bit.
        open_lens: as in `write_dataset`.
        work: a folder in which an interrupted call keeps what it has merged; the same call goes on
            from there. None: it begins anew.
        progress: told of the tokens that were read.

    Raises:
        UserError: no texts, or one that cannot be read; `work` holds something of another corpus,
            model or dictionary.
    """
    survey = Survey.of(lens, corpus, long, shard_tokens, progress)
    checkpoint = StatisticsCheckpoint(work)
    begun = checkpoint.plan()
    shapes = begun.shapes if begun else lens.shapes(survey.first, encoding, survey.tokens)
    plan = Plan.of(lens, survey, long, "float32", shapes)
    if begun is not None:
        begun.check_same(plan, work or Path())
        plan = begun
    checkpoint.begin(plan)
    how = ShardReader(open_lens or (lambda: lens), plan, survey.first)
    begin = Reading(how, corpus.categories, top)
    with threads_restored():
        jobs = jobs_of(corpus, plan.shards, ())
        own = workers if open_lens else ALONE
        return _merged(begin, plan, corpus, jobs, own, checkpoint, progress)


def store_statistics(
    store: ActivationDataset,
    corpus: Labelled,
    *,
    top: int = TOP,
    workers: Workers = ALONE,
    work: Path | None = None,
    progress: Progress = SILENT,
) -> dict[str, FeatureStatistics]:
    """The same from the activations in a store, without a model; tokens are then not counted.

    Args:
        store: what `faultlens read` wrote of the corpus.
        corpus: the same texts, with their categories.
        top, workers, work, progress: as in `corpus_statistics`.

    Raises UserError if the store is of another corpus, or a file of it cannot be read.
    """
    digest = Survey.digest_of(corpus)
    if digest != store.plan.corpus["digest"]:
        raise UserError(
            f"{store.folder} is a store of {store.plan.corpus['texts']} other texts: expected "
            f"those of the corpus, {len(corpus)} in the same order"
        )
    checkpoint = StatisticsCheckpoint(work)
    checkpoint.begin(store.plan)
    begin = Restoring(store, corpus.categories, top)
    jobs = (ShardJob(shard, ()) for shard in store.plan.shards)
    return _merged(begin, store.plan, corpus, jobs, workers, checkpoint, progress)


def _merged(
    begin: Reading | Restoring,
    plan: Plan,
    corpus: Labelled,
    jobs: Iterable[ShardJob],
    workers: Workers,
    checkpoint: StatisticsCheckpoint,
    progress: Progress,
) -> dict[str, FeatureStatistics]:
    """The statistics of all stretches, merged in their order."""
    tick = progress.start("Reading the tokens", plan.corpus["tokens"])
    total = _nothing(plan, corpus.categories, begin.top)
    done, tokens = checkpoint.resume(total)
    tick(tokens)
    kept = perf_counter()
    for taken in workers.in_order(begin, _stretches(plan, corpus, jobs, done)):
        total = {name: total[name].merge(taken.kept[name]) for name in total}
        done, tokens = done + 1, tokens + taken.tokens
        tick(taken.tokens)
        if perf_counter() - kept > KEPT_EVERY:
            checkpoint.write(total, done, tokens)
            kept = perf_counter()
    checkpoint.write(total, done, tokens)
    return {name: statistics.result() for name, statistics in total.items()}


def _stretches(
    plan: Plan, corpus: Labelled, jobs: Iterable[ShardJob], done: int
) -> Iterator[Stretch]:
    """The stretches after the first `done`."""
    size = -(-len(plan.shards) // STRETCHES)
    number = {category: place for place, category in enumerate(corpus.categories)}
    feed, labels = iter(jobs), corpus.labels()
    for start in range(0, len(plan.shards), size):
        mine = tuple(next(feed) for _ in plan.shards[start : start + size])
        count = mine[-1].shard.last - mine[0].shard.first
        groups = np.fromiter((number[next(labels)] for _ in range(count)), np.int64, count)
        if start // size >= done:
            yield Stretch(mine, groups)


def _nothing(plan: Plan, groups: Sequence[str], top: int) -> Kept:
    return {
        name: StreamingStatistics(of["d_sae"], groups, top)
        for name, of in plan.dictionaries.items()
    }


@dataclass(frozen=True, eq=False)
class Reading:
    """Takes in stretches by reading their texts; called, it makes a worker ready."""

    how: ShardReader
    groups: tuple[str, ...]
    top: int

    def __call__(self) -> Callable[[Stretch], Taken]:
        return _Reader(self, self.how.reader())


@final
class _Reader:
    """A worker that is ready."""

    def __init__(self, work: Reading, reader: Reader) -> None:
        self._work, self._reader, self._computing = work, reader, Lock()

    def __call__(self, stretch: Stretch) -> Taken:
        plan = self._work.how.plan
        kept = _nothing(plan, self._work.groups, self._work.top)
        begins = stretch.shards[0].shard.first
        with self._computing:
            for job in stretch.shards:
                for read in self._reader.read(tokens_of(job, self._reader, plan)):
                    texts = np.array(read.texts, np.int64) + job.shard.first
                    for name, seen in read.activations.items():
                        kept[name].update(seen, texts.tolist(), stretch.groups[texts - begins])
        return Taken(kept, sum(job.shard.tokens for job in stretch.shards))


@dataclass(frozen=True, eq=False)
class Restoring:
    """Takes in stretches from a store; called, it makes a worker ready: it is one itself."""

    store: ActivationDataset
    groups: tuple[str, ...]
    top: int

    def __call__(self) -> Callable[[Stretch], Taken]:
        return self._take

    def _take(self, stretch: Stretch) -> Taken:
        plan = self.store.plan
        kept = _nothing(plan, self.groups, self.top)
        begins = stretch.shards[0].shard.first
        for job in stretch.shards:
            shard = job.shard
            names = np.arange(shard.first, shard.last)
            groups = stretch.groups[names - begins]
            for name, of in plan.dictionaries.items():
                path = shard.path(self.store.folder, name)
                found, _ = read_groups(path, "feature", 0, of["d_sae"] - 1)
                text = found.text.astype(np.int64) - shard.first
                kept[name].count(groups, None)
                kept[name].take(
                    text, found.position, found.feature, found.activation, names, groups
                )
        return Taken(kept, sum(job.shard.tokens for job in stretch.shards))
