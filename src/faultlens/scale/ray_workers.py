"""Workers on a Ray cluster: the only module that knows Ray.

An actor loads what it needs once and then takes jobs; which, and what becomes of them, the crew
says (crew.py).

What goes to a worker and back is pickled here, so that both sides hold arrays of their own. Arrays
that Ray itself hands over lie read-only in memory that all workers of a machine share, and
`torch.from_numpy(a).add_()` changes them there for everyone (findings/ray_arrays_are_shared.sh).
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from faultlens.errors import UserError
from faultlens.scale.crew import AT_A_TIME, RayCrew
from faultlens.scale.workers import Begin

AUTO = "auto"
AHEAD = 3  # jobs a worker may be ahead of the next one that is due, where the order matters
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

    def results(self, begin: Begin, jobs: Iterable[Any], *, alike: bool = True) -> Iterator[Any]:
        """Do every job; the results, in whatever order they are finished (see `Workers`)."""
        crew = self._crew(begin, alike)
        with crew.dismissed():
            yield from crew.results(jobs)

    @contextmanager
    def ready(self, begin: Begin) -> Iterator[RayCrew]:
        """Actors that begin once, and do lists of jobs until the block ends."""
        crew = self._crew(begin, alike=False)
        with crew.dismissed():
            yield crew

    def in_order(self, begin: Begin, jobs: Iterable[Any]) -> Iterator[Any]:
        """The same, in the order of the jobs: what is finished too early waits."""
        waiting: dict[int, Any] = {}
        due = 0
        crew = self._crew(begin)
        most = AHEAD * self.count
        crew.limit = most
        with crew.dismissed():
            for number, result in crew.numbered(jobs):
                waiting[number] = result
                while due in waiting:
                    yield waiting.pop(due)
                    due += 1
                crew.limit = due + most

    def _crew(self, begin: Begin, alike: bool = True) -> RayCrew:
        started = self.ray.remote(Worker).options(
            num_cpus=self.threads, num_gpus=1 if self.gpu else 0, max_concurrency=AT_A_TIME
        )
        sent = self.ray.cloudpickle.dumps(begin)
        return RayCrew(self.ray, lambda: started.remote(sent, self.threads), self.count, alike)
