"""Workers: who does a list of jobs. This process alone, or many (ray_workers.py).

Whoever does them, a job is a pure function of itself and of what a worker was made ready with, so
that it may be done twice, or by another worker after one has died.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol, final

Work = Callable[[Any], Any]
"""What does one job and gives its result. Two threads of a worker may call it at once, so that one
computes while the other writes; what computes by a model does so `one_at_a_time`."""
Begin = Callable[[], Work]
"""Makes a worker ready, once: loads what every job needs. Sent to other machines, so picklable."""


def one_at_a_time(work: Work) -> Work:
    """The same for one thread at a time: hooks on a model are no other thread's business."""
    lock = Lock()

    def locked(job: Any) -> Any:
        with lock:
            return work(job)

    return locked


class Crew(Protocol):
    """Workers that have begun."""

    def results(self, jobs: Iterable[Any]) -> Iterator[Any]:
        """Do every job; the results, in whatever order they are finished. Raises as `Workers`."""
        ...


class Workers(Protocol):
    """Who does jobs."""

    def results(self, begin: Begin, jobs: Iterable[Any], *, alike: bool = True) -> Iterator[Any]:
        """Do every job; the results, in whatever order they are finished.

        Args:
            begin: called by each worker before its first job.
            jobs: taken one after the other, never far ahead of the results.
            alike: whether all take about as long, so that one that takes much longer may be given
                to a second worker.

        Raises:
            UserError: a job's own, or there are no workers.
        """
        ...

    def in_order(self, begin: Begin, jobs: Iterable[Any]) -> Iterator[Any]:
        """The same, the results in the order of the jobs."""
        ...

    def ready(self, begin: Begin) -> AbstractContextManager[Crew]:
        """Workers that begin once, now, and do lists of jobs until the block ends.

        The jobs need not take alike long.
        """
        ...


@final
class Alone:
    """This process, which does one job after the other."""

    def results(self, begin: Begin, jobs: Iterable[Any], *, alike: bool = True) -> Iterator[Any]:
        work = begin()
        for job in jobs:
            yield work(job)

    def in_order(self, begin: Begin, jobs: Iterable[Any]) -> Iterator[Any]:
        return self.results(begin, jobs)

    @contextmanager
    def ready(self, begin: Begin) -> Iterator[Crew]:
        yield _OneWorker(begin())


@final
@dataclass(frozen=True, eq=False)
class _OneWorker:
    """This process, which has begun."""

    work: Work

    def results(self, jobs: Iterable[Any]) -> Iterator[Any]:
        return map(self.work, jobs)


ALONE: Workers = Alone()
