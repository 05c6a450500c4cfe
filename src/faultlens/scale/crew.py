"""A crew of Ray actors: who of them does which job, and what becomes of it.

A job whose actor dies is given to another. Where all jobs take about as long, an actor has two at a
time, so that it never waits for the next one; and towards the end, a job that takes much longer
than the others did is given to a second actor as well, and whichever is first counts. What an actor
takes to load is no job's time.
"""

from __future__ import annotations

import math
import pickle
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from faultlens.errors import UserError

AT_A_TIME = 2  # jobs of an actor, of alike size: one is computed while the other is written
DEATHS = 5  # actors that may die of one job before it is given up
LATE = 4.0  # times the median duration after which a job is late
LEAST_LATE = 5.0  # seconds that a job, or loading, may take without being late
WAITED = 1.0  # seconds between two looks at what is late


def _late_after(took: list[float]) -> float:
    """The duration after which something is late, given how long its like took."""
    return max(LEAST_LATE, LATE * sorted(took)[len(took) // 2] if took else 0.0)


@dataclass(eq=False)
class _Job:
    """A job, and what became of it so far."""

    number: int
    content: bytes
    deaths: int = 0
    done: bool = False


@dataclass(eq=False)
class _Asked:
    """A job that was handed out."""

    job: _Job
    actor: int
    since: float


class RayCrew:
    """Actors that begin alike, what each is doing, and what is still to be done.

    Attributes:
        limit: how many jobs may have been begun by now.
    """

    def __init__(self, ray: Any, start: Callable[[], Any], count: int, alike: bool = True) -> None:
        """Start them.

        Args:
            ray: the library.
            start: an actor.
            count: of actors.
            alike: whether all jobs take about as long.
        """
        self._ray, self._start = ray, start
        self._alike, self._at_a_time = alike, AT_A_TIME if alike else 1
        self._beginning: dict[Any, int] = {}
        self._since: dict[int, float] = {}
        self._to_begin: list[float] = []
        self._actors = {number: self._new(number) for number in range(count)}
        self._load = dict.fromkeys(self._actors, 0)
        self._asked: dict[Any, _Asked] = {}
        self._again: deque[_Job] = deque()
        self._took: list[float] = []
        self._begun = 0
        self.limit: float = math.inf

    def _new(self, number: int) -> Any:
        actor = self._start()
        self._beginning[actor.begun.remote()] = number
        self._since[number] = time.monotonic()
        return actor

    def results(self, jobs: Iterable[Any]) -> Iterator[Any]:
        """The results of one list of jobs, as they are finished; then another may be given."""
        for _, result in self.numbered(jobs):
            yield result

    def numbered(self, jobs: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """Each job's number and result, as they are finished."""
        self._took, self._begun = [], 0  # of this list
        coming = (_Job(number, pickle.dumps(job)) for number, job in enumerate(jobs))
        while True:
            self._hand_out(coming)
            if not self._asked:
                return
            waited_for = [*self._beginning, *self._asked]
            ready, _ = self._ray.wait(waited_for, num_returns=1, timeout=WAITED)
            for one in ready:
                if one in self._beginning:
                    self._has_begun(self._beginning.pop(one))
                else:
                    yield from self._taken(one)

    @contextmanager
    def dismissed(self) -> Iterator[None]:
        """The actors end with the block, whatever they are doing."""
        try:
            yield
        finally:
            for actor in self._actors.values():
                with suppress(Exception):
                    self._ray.kill(actor)

    def _hand_out(self, coming: Iterator[_Job]) -> None:
        """Give every actor what it has room for: new jobs, those of the dead, late ones."""
        while True:
            begin = self._beginning.values()
            actor = min(self._load, key=lambda number: (self._load[number], number in begin))
            if self._load[actor] >= self._at_a_time:
                return
            job = self._again.popleft() if self._again else self._next(coming)
            job = self._late(actor) if job is None else job
            if job is None:
                return
            self._ask(actor, job)

    def _next(self, coming: Iterator[_Job]) -> _Job | None:
        """A job that nobody had before, unless it is too far ahead of the results."""
        if self._begun >= self.limit:
            return None
        job = next(coming, None)
        self._begun += job is not None
        return job

    def _ask(self, actor: int, job: _Job) -> None:
        reference = self._actors[actor].do.remote(job.content)
        self._asked[reference] = _Asked(job, actor, time.monotonic())
        self._load[actor] += 1

    def _late(self, actor: int) -> _Job | None:
        """A job that takes much longer than the others did, for an actor without work."""
        if self._load[actor] or not self._took or not self._alike:
            return None
        limit = _late_after(self._took)
        now, held = time.monotonic(), [one.job for one in self._asked.values()]
        for one in self._asked.values():
            twice = held.count(one.job) > 1
            begins = one.actor in self._beginning.values()
            since = self._since[one.actor] + _late_after(self._to_begin) if begins else one.since
            if now - since > limit and not twice and not one.job.done:
                return one.job
        return None

    def _has_begun(self, number: int) -> None:
        """An actor is ready, or has died: then its jobs say so. They count from now."""
        now = time.monotonic()
        self._to_begin.append(now - self._since[number])
        for one in self._asked.values():
            if one.actor == number:
                one.since = now

    def _taken(self, reference: Any) -> Iterator[tuple[int, Any]]:
        """The result of what has ended, unless it was had before; a dead actor is replaced."""
        one = self._asked.pop(reference, None)
        if one is None:  # its actor was replaced in the meantime
            return
        try:
            result = pickle.loads(self._ray.get(reference))
        except self._ray.exceptions.RayActorError as error:
            self._replace(one.actor, error)
            self._give_again(one.job, error)
            return
        self._load[one.actor] -= 1
        self._took.append(time.monotonic() - one.since)
        if isinstance(result, UserError):
            raise result
        if not one.job.done:
            one.job.done = True
            for slow in [other.actor for other in self._asked.values() if other.job is one.job]:
                with suppress(Exception):
                    self._ray.kill(self._actors[slow])
                self._replace(slow)
            yield one.job.number, result

    def _replace(self, number: int, error: Exception | None = None) -> None:
        """A new actor in another's place; whatever else that one was asked for, again.

        Args:
            number: of the actor.
            error: what it died of; None: it was only slow.
        """
        for reference, one in list(self._asked.items()):
            if one.actor == number:
                del self._asked[reference]
                self._give_again(one.job, error)
        for reference in [of for of, actor in self._beginning.items() if actor == number]:
            del self._beginning[reference]
        self._actors[number] = self._new(number)
        self._load[number] = 0

    def _give_again(self, job: _Job, error: Exception | None) -> None:
        if job.done or any(one.job is job for one in self._asked.values()):
            return
        job.deaths += error is not None
        if job.deaths >= DEATHS:
            reason = " ".join(str(error).split())[:300]
            raise UserError(
                f"{DEATHS} workers died of job {job.number + 1} ({reason}): what was finished is "
                "kept; expected workers with enough memory (fewer --workers)"
            )
        self._again.append(job)
