"""Stands for workers on other machines: all that goes to them and back is pickled."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from faultlens.scale.workers import Begin, Crew


class Elsewhere:
    """Two workers that take turns.

    Attributes:
        given: the jobs of all crews.
    """

    def __init__(self) -> None:
        self.given: list[Any] = []

    def results(self, begin: Begin, jobs: Iterable[Any], *, alike: bool = True) -> Iterator[Any]:
        works = [begin(), begin()]
        for number, job in enumerate(jobs):
            done = works[number % 2](pickle.loads(pickle.dumps(job)))
            yield pickle.loads(pickle.dumps(done))

    in_order = results

    @contextmanager
    def ready(self, begin: Begin) -> Iterator[Crew]:
        yield Two(self, begin)


class Two:
    """The two, begun alike."""

    def __init__(self, workers: Elsewhere, begin: Begin) -> None:
        self._works = [begin(), begin()]
        self._given = workers.given

    def results(self, jobs: Iterable[Any]) -> Iterator[Any]:
        """The last first: nobody may rely on their order."""
        for number, job in reversed(list(enumerate(jobs))):
            self._given.append(job)
            done = self._works[number % 2](pickle.loads(pickle.dumps(job)))
            yield pickle.loads(pickle.dumps(done))
