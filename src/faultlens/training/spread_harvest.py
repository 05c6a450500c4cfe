"""Harvest by many workers: blocks of activations read elsewhere, in the order of the stream.

What a block holds depends on its tokens and on the number of threads alone, so that dictionaries
learn the same, whoever reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from faultlens.errors import UserError
from faultlens.models.model import Model
from faultlens.models.sites import Site
from faultlens.scale.workers import Workers, one_at_a_time
from faultlens.training.harvest import Block, Harvest, places_of
from faultlens.training.stream import Span, TokenStream


@dataclass(frozen=True, eq=False)
class Readers:
    """Who reads blocks, and how each opens the model; picklable."""

    workers: Workers
    open_model: Callable[[], Model]


@dataclass(frozen=True, eq=False)
class BlockJob:
    """A block to read: the pieces that it needs, and where its tokens lie in them."""

    pieces: Sequence[np.ndarray]
    spans: Sequence[Span]
    seed: int
    start: int
    count: int

    @classmethod
    def of(cls, stream: TokenStream, start: int, count: int) -> BlockJob:
        """Tokens `start` to `start + count` of a stream."""
        spans = stream.spans(start, count)
        needed = sorted({span.piece for span in spans})
        own = {piece: place for place, piece in enumerate(needed)}
        moved = [replace(span, piece=own[span.piece]) for span in spans]
        return cls([stream.pieces[piece] for piece in needed], moved, stream.seed, start, count)


@dataclass(frozen=True, eq=False)
class Harvesting:
    """Reads blocks; called, it makes a worker ready.

    Attributes:
        open_model: gives the worker its model.
        digest: that it has to have.
        sites, before: those of the harvest.
    """

    open_model: Callable[[], Model]
    digest: str
    sites: tuple[Site, ...]
    before: Sequence[int]

    def __call__(self) -> Callable[[BlockJob], Block]:
        """Raises UserError where the worker finds another model."""
        model = self.open_model()
        if model.digest != self.digest:
            raise UserError(
                f"model {model.name} is another one on a worker ({model.digest[:12]}, not "
                f"{self.digest[:12]}): expected the same files on every machine"
            )
        harvest = Harvest(model, self.sites, self.before)

        def read(job: BlockJob) -> Block:
            places = places_of(job.seed, job.start, job.count)
            found = harvest.read(job.pieces, job.spans, places)
            values = {site: value.cpu() for site, value in found.values.items()}
            return Block(values, found.special.cpu())

        return one_at_a_time(read)


def blocks(
    harvest: Harvest,
    stream: TokenStream,
    starts: Iterable[int],
    count: int,
    readers: Readers | None,
) -> Iterator[Block]:
    """Blocks of `count` tokens that begin at `starts`, one after the other.

    Args:
        readers: None: this process reads each when it is due.
    """
    if readers is None:
        for start in starts:
            yield harvest.block(stream, start, count)
        return
    begin = Harvesting(readers.open_model, harvest.model.digest, harvest.sites, harvest.before)
    jobs = (BlockJob.of(stream, start, count) for start in starts)
    device = harvest.model.device
    for block in readers.workers.in_order(begin, jobs):
        values = {site: value.to(device) for site, value in block.values.items()}
        yield Block(values, block.special.to(device))
