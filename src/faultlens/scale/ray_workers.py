"""Workers on a Ray cluster: the only module that knows Ray.

An actor loads what it needs once and then takes jobs, two at a time, so that it never waits for the
next one. A job whose actor dies is given to another; towards the end, a job that takes much longer
than the others did is given to a second actor as well, and whichever is first counts. What an actor
takes to load is no job's time.

What goes to a worker and back is pickled here, so that both sides hold arrays of their own. Arrays
that Ray itself hands over lie read-only in memory that all workers of a machine share, and
`torch.from_numpy(a).add_()` changes them there for everyone (findings/ray_arrays_are_shared.sh).
"""

from __future__ import annotations

import math
import os
import pickle
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from faultlens.errors import UserError
from faultlens.scale.workers import Begin

AUTO = "auto"
AT_A_TIME = 2  # jobs of an actor: one is computed while the other's result is written
AHEAD = 3  # jobs a worker may be ahead of the next one that is due, where the order matters
DEATHS = 5  # actors that may die of one job before it is given up
LATE = 4.0  # times the median duration after which a job is late
LEAST_LATE = 5.0  # seconds that a job, or loading, may take without being late
WAITED = 1.0  # seconds between two looks at what is late
MISSING = "--ray needs the library ray: install it with pip install 'faultlens[ray]'"


@contextmanager
def ray_workers(address: str, count: int | None, threads: int, gpu: bool) -> Iterator[RayWorkers]:
    """Workers on a cluster, which is left when the block ends; one started here is stopped.

    Args:
        address: of the cluster; `auto`: the one that this machine belongs to, or a new one.
        count: of workers; None: as many as the cluster has room for.
        threads: processors that each needs.
        gpu: whether each needs a GPU, too.

    Raises:
        UserError: Ray is not installed, there is no cluster, or it has no room for them.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # without GPUs: as it was
    try:
        import ray
    except ImportError as error:
        raise UserError(MISSING) from error
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, address)
    try:
        needs = {"CPU": float(threads)} | ({"GPU": 1.0} if gpu else {})
        room = _room(ray.cluster_resources(), needs)
        if room < 1:
            has = ", ".join(f"{ray.cluster_resources().get(of, 0):g} {of}" for of in needs)
            wanted = ", ".join(f"{amount:g} {of}" for of, amount in needs.items())
            raise UserError(
                f"the Ray cluster has {has}, and a worker needs {wanted}: choose fewer --threads, "
                "or a cluster that has them"
            )
        if count is not None and count > room:
            raise UserError(
                f"--workers {count}: the Ray cluster has room for {room}, with {threads} "
                f"processor{'s' * (threads > 1)}{' and a GPU' * gpu} each"
            )
        yield RayWorkers(ray, count or room, threads, gpu)
    finally:
        if ours:
            ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    options: dict[str, Any] = {} if address == AUTO else {"address": address}
    try:
        ray.init(
            **options, include_dashboard=False, log_to_driver=False, logging_level="ERROR",
            configure_logging=False,
        )  # fmt: skip
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"no Ray cluster at {address!r} ({reason}): expected HOST:PORT of one that runs, "
            "or auto"
        ) from error


def _room(resources: dict[str, float], needs: dict[str, float]) -> int:
    return int(min(resources.get(of, 0.0) // amount for of, amount in needs.items()))


class Worker:
    """What an actor is: made ready once, then asked for results."""

    def __init__(self, begin: bytes, threads: int) -> None:
        os.environ["OMP_NUM_THREADS"] = str(threads)  # read when PyTorch is loaded, below
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        from ray import cloudpickle

        self._work: Any = None
        self._failure: Exception | None = None
        try:
            self._work = cloudpickle.loads(begin)()
        except Exception as error:  # told by the first job: an actor that cannot begin only dies
            self._failure = error

    def begun(self) -> None:
        """Answers once it is ready."""

    def do(self, job: bytes) -> bytes:
        """The pickled result of a pickled job, or the pickled error that the user caused."""
        try:
            if self._failure is not None:
                raise self._failure
            return pickle.dumps(self._work(pickle.loads(job)))
        except UserError as error:
            return pickle.dumps(error)


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


@dataclass(eq=False)
class RayWorkers:
    """So many actors on a cluster, for each call anew, or for a block (`ready`).

    Attributes:
        ray: the library.
        count: of actors.
        threads: processors of each.
        gpu: whether each has a GPU.
    """

    ray: Any
    count: int
    threads: int
    gpu: bool

    def results(self, begin: Begin, jobs: Iterable[Any]) -> Iterator[Any]:
        """Do every job; the results, in whatever order they are finished (see `Workers`)."""
        crew = _Crew(self.ray, begin, self.count, self.threads, self.gpu)
        with crew.dismissed():
            yield from crew.results(jobs)

    @contextmanager
    def ready(self, begin: Begin) -> Iterator[_Crew]:
        """Actors that begin once, and do several lists of jobs until the block ends."""
        crew = _Crew(self.ray, begin, self.count, self.threads, self.gpu)
        with crew.dismissed():
            yield crew

    def in_order(self, begin: Begin, jobs: Iterable[Any]) -> Iterator[Any]:
        """The same, in the order of the jobs: what is finished too early waits."""
        waiting: dict[int, Any] = {}
        due = 0
        crew = _Crew(self.ray, begin, self.count, self.threads, self.gpu)
        most = AHEAD * self.count
        crew.limit = most
        with crew.dismissed():
            for number, result in crew.numbered(jobs):
                waiting[number] = result
                while due in waiting:
                    yield waiting.pop(due)
                    due += 1
                crew.limit = due + most


class _Crew:
    """Actors that begin alike, what each is doing, and what is still to be done."""

    def __init__(self, ray: Any, begin: Begin, count: int, threads: int, gpu: bool) -> None:
        self._ray, self._begin, self._threads = ray, ray.cloudpickle.dumps(begin), threads
        self._make = ray.remote(Worker).options(
            num_cpus=threads, num_gpus=1 if gpu else 0, max_concurrency=AT_A_TIME
        )
        self._beginning: dict[Any, int] = {}
        self._since: dict[int, float] = {}
        self._to_begin: list[float] = []
        self._actors = {number: self._new(number) for number in range(count)}
        self._load = dict.fromkeys(self._actors, 0)
        self._asked: dict[Any, _Asked] = {}
        self._again: deque[_Job] = deque()
        self._took: list[float] = []
        self._begun = 0
        self.limit: float = math.inf  # jobs that may have been begun by now

    def _new(self, number: int) -> Any:
        actor = self._make.remote(self._begin, self._threads)
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
            actor = min(self._load, key=self._load.__getitem__)
            if self._load[actor] >= AT_A_TIME:
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
        if self._load[actor] or not self._took:
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
