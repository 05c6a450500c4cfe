"""Stages that need nothing of each other: named parts of a run, each kept once it is finished.

Whoever makes one, this process or a worker elsewhere, makes the same of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from faultlens.progress import SILENT, Progress, Tick
from faultlens.runs.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False)
class Stage:
    """One of them; picklable.

    Attributes:
        name: under which its result is kept.
        kind: the dataclass that its result is.
        make: gives the result.
        arguments: what `make` is called with.
        size: what it counts for where progress is told.
        with_model: whether `make` is a method of the tests that the run does with its model, and
            is called with these first; else it needs nothing but `arguments`.
    """

    name: str
    kind: type[Any]
    make: Callable[..., Any]
    arguments: tuple[Any, ...]
    size: int = 1
    with_model: bool = False

    def made(self, tests: Callable[[], Any]) -> Any:
        """Its result.

        Args:
            tests: gives the tests that the run does with its model, where they are needed.
        """
        return (
            self.make(tests(), *self.arguments) if self.with_model else self.make(*self.arguments)
        )


def told(stage: Stage, tick: Tick) -> Any:
    """The result of a stage without a model, which tells of its size as it goes."""
    return stage.make(*stage.arguments, tick=tick)


Elsewhere = Callable[[Iterable[Stage]], Iterator[tuple[str, Any]]]
"""Has stages made by workers; each one's name and result, in whatever order they are finished."""


@dataclass(frozen=True)
class Stages:
    """Who makes the stages of a run, and where they are kept.

    Attributes:
        kept: where finished ones are.
        elsewhere: who makes them; None: this process.
        progress: told of them.
    """

    kept: Checkpoint = field(default_factory=Checkpoint)
    elsewhere: Elsewhere | None = None
    progress: Progress = SILENT

    def made(
        self,
        title: str,
        stages: Sequence[Stage],
        here: Callable[[Stage, Tick], Any] = told,
    ) -> list[Any]:
        """The results of stages, in their order: finished ones are read, the others made and kept.

        Args:
            title: of all of them.
            stages: no two of one name.
            here: makes one in this process, and tells of its size as it goes: every one where
                nobody else does, and one that is the only one to be made. By default its `make`
                is called with the arguments and, as `tick`, whom it tells.

        Raises:
            UserError: as whoever makes them does.
            CannotWrite: a result cannot be kept; those before it are.
        """
        found = {stage.name: self.kept.finished(stage.name, stage.kind) for stage in stages}
        missing = {stage.name: stage for stage in stages if found[stage.name] is None}
        if missing:
            tick = self.progress.start(title, sum(stage.size for stage in missing.values()))
        if self.elsewhere is None or len(missing) < 2:
            for name, stage in missing.items():
                found[name] = self.kept.keep(name, here(stage, tick))
        else:
            for name, result in self.elsewhere(missing.values()):
                found[name] = self.kept.keep(name, result)
                tick(missing[name].size)
        return [found[stage.name] for stage in stages]
