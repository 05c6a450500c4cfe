"""Other seeds audited by many workers, while this process audits the first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from faultlens.auditing.replication.seeds import SeedRun
from faultlens.auditing.spread import Spread
from faultlens.progress import Progress
from faultlens.scale.workers import one_at_a_time

if TYPE_CHECKING:
    from faultlens.corpus.task import Task
    from faultlens.features.lens import Lens


@dataclass(frozen=True, eq=False)
class OtherSeeds:
    """Audits the prompts of a seed; called, it makes a worker ready.

    Attributes:
        open_lens: gives the worker its lens.
        audit: of a lens, a seed and its task.
    """

    open_lens: Callable[[], Lens]
    audit: Callable[..., SeedRun]

    def __call__(self) -> Callable[[tuple[int, Task]], SeedRun]:
        return one_at_a_time(partial(_audited, self.audit, self.open_lens()))


@contextmanager
def others_audited(
    lens: Lens,
    others: Sequence[tuple[int, Task]],
    audit: Callable[..., SeedRun],
    spread: Spread | None,
    progress: Progress,
) -> Iterator[Callable[[], list[SeedRun]]]:
    """The audits of other seeds are begun; what is yielded waits for them, in their order.

    Args:
        lens: of this process, which audits them itself where there is no `spread`, when asked.
        others: each seed and its task.
        audit: of a lens, a seed and its task; picklable.
        spread: who audits them.
        progress: told of the stages, where this process audits them.
    """
    if spread is None:
        yield lambda: [audit(lens, *one, progress=progress) for one in others]
        return
    work = OtherSeeds(spread.open_lens, audit)
    pool = ThreadPoolExecutor(1)
    try:
        yield pool.submit(lambda: list(spread.workers.in_order(work, others))).result
    finally:  # after an interrupt nobody waits for what the others are at
        pool.shutdown(wait=False, cancel_futures=True)


def _audited(audit: Callable[..., SeedRun], lens: Lens, one: tuple[int, Any]) -> SeedRun:
    return audit(lens, *one)
