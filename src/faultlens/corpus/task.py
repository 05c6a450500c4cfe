"""Task: prompts with a target answer, an optional foil, and the factors that describe them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from faultlens.corpus.records import read_records, shown, text_field
from faultlens.errors import UserError


@dataclass(frozen=True)
class Prompt:
    """One prompt of a task.

    Attributes:
        text: what the model is given; it ends where the answer begins, without a space.
        target: the right answer, e.g. `"Mary"`.
        foil: the wrong answer worth comparing with, e.g. the subject of an IOI sentence.
        factors: what describes the prompt: factor name to level.
    """

    text: str
    target: str
    foil: str | None = None
    factors: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.target == self.foil:
            raise UserError(f"prompt {self.text!r}: target and foil are both {self.target!r}")


@dataclass(frozen=True)
class Task:
    """Prompts under a name; all of them have the same factors."""

    name: str
    prompts: tuple[Prompt, ...]

    def __post_init__(self) -> None:
        if not self.prompts:
            raise UserError(f"task {self.name} has no prompts: expected at least one")
        for i, prompt in enumerate(self.prompts, start=1):
            if prompt.factors.keys() != self.prompts[0].factors.keys():
                raise UserError(
                    f"task {self.name}: prompt {i} has the factors {list(prompt.factors)}, the "
                    f"first has {list(self.prompts[0].factors)}: expected the same everywhere"
                )

    def __len__(self) -> int:
        return len(self.prompts)

    @property
    def factors(self) -> dict[str, list[str]]:
        """For each factor the level of every prompt."""
        return {
            name: [prompt.factors[name] for prompt in self.prompts]
            for name in self.prompts[0].factors
        }

    @property
    def digest(self) -> str:
        """SHA-256 over all prompts, in order."""
        records = json.dumps([asdict(prompt) for prompt in self.prompts], ensure_ascii=False)
        return hashlib.sha256(records.encode()).hexdigest()


def read_task(path: Path) -> Task:
    """Read a task from JSONL: `{"prompt", "target", "foil"?, "factors"?: {name: level}}` a line.

    Raises UserError naming the file and line for anything that is not as expected.
    """
    prompts = []
    for where, record in read_records(path):
        factors = record.get("factors", {})
        if not isinstance(factors, dict):
            raise UserError(f"{where}: 'factors' is {shown(factors)}, expected an object")
        target = text_field(where, record, "target").strip()
        foil = None
        if record.get("foil") is not None:
            foil = text_field(where, record, "foil").strip()
        if target == foil:
            raise UserError(f"{where}: target and foil are both {shown(target)}")
        levels = {str(name): _level(where, name, level) for name, level in factors.items()}
        prompts.append(Prompt(text_field(where, record, "prompt"), target, foil, levels))
    return Task(path.stem, tuple(prompts))


def _level(where: str, name: str, level: Any) -> str:
    if isinstance(level, str | int | float | bool):
        return str(level)
    raise UserError(f"{where}: factor {name!r} is {shown(level)}, expected a word or a number")


Generator = TypeVar("Generator", bound=Callable[..., Task])
_TASKS: dict[str, Callable[..., Task]] = {}


def task(name: str) -> Callable[[Generator], Generator]:
    """Decorator: register a function `(n, seed) -> Task` as the task called `name`."""

    def add(generator: Generator) -> Generator:
        _TASKS[name] = generator
        return generator

    return add


def task_names() -> list[str]:
    return sorted(_TASKS)


def make_task(name: str, n: int, seed: int | None = None) -> Task:
    """Generate a registered task; without a seed, with the task's own default.

    Raises UserError, naming those there are, for an unknown task.
    """
    if name not in _TASKS:
        raise UserError(
            f"no task or file {name!r}: expected one of {', '.join(task_names())}, or a JSONL file"
        )
    return _TASKS[name](n=n) if seed is None else _TASKS[name](n=n, seed=seed)
