"""Task: prompts with a target answer, an optional foil, and the factors that describe them."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

from faultlens.corpus.records import check_spelling, read_records, shown, text_field
from faultlens.errors import UserError

FIELDS = ("prompt", "target", "foil", "factors", "accepted", "separator")
"""What a line of a task's file may say of a prompt."""


@dataclass(frozen=True)
class Prompt:
    """One prompt of a task.

    Attributes:
        text: what the model is given; it ends where the answer begins, without a space.
        target: the right answer, e.g. `"Mary"`.
        foil: the wrong answer worth comparing with, e.g. the subject of an IOI sentence.
        factors: what describes the prompt: factor name to level.
        accepted: further answers that are right, where the question has several: a continuation
            that gives one of them is a success. Probabilities and logit differences are the
            target's alone.
        separator: what stands between prompt and answer: a space, or nothing where the answer
            goes on within a word or after a bracket (`"the year 17"`, `"43"`).

    Raises:
        UserError: an empty prompt or answer, spaces around an answer, a foil that is right.
    """

    text: str
    target: str
    foil: str | None = None
    factors: dict[str, str] = field(default_factory=dict)
    accepted: tuple[str, ...] = ()
    separator: str = " "

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise UserError(f"a prompt is {self.text!r}: expected a text for the model to continue")
        foils = [] if self.foil is None else [("foil", self.foil)]
        for name, answer in [*(("target", answer) for answer in self.answers), *foils]:
            if not answer.strip():
                raise UserError(
                    f"prompt {self.text!r}: a {name} is {answer!r}, expected a text that is not "
                    "empty"
                )
        if self.foil is not None:
            for answer in self.answers:
                if answer.strip() == self.foil.strip():
                    raise UserError(f"prompt {self.text!r}: target and foil are both {answer!r}")
        for name, answer in [*(("target", answer) for answer in self.answers), *foils]:
            if answer != answer.strip():
                raise UserError(
                    f"prompt {self.text!r}: the {name} {answer!r} has spaces around it: give "
                    f"{answer.strip()!r}; what stands before an answer is the prompt's separator"
                )

    @property
    def answers(self) -> tuple[str, ...]:
        """All answers that are right, the target first."""
        return (self.target, *self.accepted)


@dataclass(frozen=True)
class Task:
    """Prompts under a name; all of them have the same factors.

    Attributes:
        unused: the columns of its file that are none of `FIELDS`: nothing is made of them.
    """

    name: str
    prompts: tuple[Prompt, ...]
    unused: tuple[str, ...] = ()

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
    """Read a task from JSONL, one prompt a line.

    A line is `{"prompt", "target", "foil"?, "factors"?: {name: level}, "accepted"?: [answer],
    "separator"?}`, the fields of `Prompt`. Other columns are left out, and named in `unused`.

    Raises UserError naming the file and line for anything that is not as expected, a field that
    seems to be misspelt among it.
    """
    records = list(read_records(path))
    prompts = tuple(_prompt(where, record) for where, record in records)
    others = dict.fromkeys(name for _, record in records for name in record if name not in FIELDS)
    return Task(path.stem, prompts, tuple(others))


def _prompt(where: str, record: dict[str, Any]) -> Prompt:
    check_spelling(where, record, FIELDS)
    factors = record.get("factors", {})
    if not isinstance(factors, dict):
        raise UserError(f"{where}: 'factors' is {shown(factors)}, expected an object")
    text, target = text_field(where, record, "prompt"), text_field(where, record, "target").strip()
    foil = None
    if record.get("foil") is not None:
        foil = text_field(where, record, "foil").strip()
    right = accepted_field(where, record)
    if foil is not None and foil in (target, *right):
        raise UserError(f"{where}: target and foil are both {shown(foil)}")
    separator = record.get("separator", " ")
    if separator not in ("", " "):
        raise UserError(
            f'{where}: \'separator\' is {shown(separator)}, expected " ", or "" where the answer '
            "follows the prompt directly"
        )
    levels = {str(name): _level(where, name, level) for name, level in factors.items()}
    return Prompt(text, target, foil, levels, right, separator)


def accepted_field(where: str, record: dict[str, Any]) -> tuple[str, ...]:
    """The further answers that a record accepts. Raises UserError for anything but texts."""
    accepted = record.get("accepted", [])
    if not isinstance(accepted, list) or not all(
        isinstance(a, str) and a.strip() for a in accepted
    ):
        raise UserError(
            f"{where}: 'accepted' is {shown(accepted)}, expected a list of texts that are not empty"
        )
    return tuple(answer.strip() for answer in accepted)


def _level(where: str, name: str, level: Any) -> str:
    if isinstance(level, str | int | float | bool):
        return str(level)
    raise UserError(f"{where}: factor {name!r} is {shown(level)}, expected a word or a number")


Generator = TypeVar("Generator", bound=Callable[..., Task])
GROUP = "faultlens.tasks"
"""The group of entry points in which packages offer tasks."""

_TASKS: dict[str, Callable[..., Task]] = {}


def task(name: str) -> Callable[[Generator], Generator]:
    """Decorator: register a function `(n, seed) -> Task` as the task called `name`.

    The function is only called with an `n` that is a whole number of at least 1. A package offers
    its tasks by entry points in the group `faultlens.tasks`, under their names.
    """

    def add(generator: Generator) -> Generator:
        checked = _with_checked_n(generator, name)
        _TASKS[name] = checked
        return checked

    return add


def _with_checked_n(generator: Generator, name: str) -> Generator:
    @functools.wraps(generator)
    def checked(*args: Any, **options: Any) -> Task:
        n = args[0] if args else options.get("n", 1)
        if not isinstance(n, int) or isinstance(n, bool) or n < 1:
            raise UserError(f"task {name}: n is {n!r}, expected a whole number of at least 1")
        return generator(*args, **options)

    return checked  # type: ignore[return-value]  # of the same signature, by functools.wraps


def task_names() -> list[str]:
    """The tasks that can be made by name: registered here, or offered by an installed package."""
    return sorted({*_TASKS, *(entry.name for entry in entry_points(group=GROUP))})


def make_task(name: str, n: int | None = None, seed: int | None = None) -> Task:
    """Generate a task by its name, with its own number of prompts and seed where none is given.

    Raises UserError, naming those there are, for an unknown task, and for what a package offers
    under the name but is no task.
    """
    if name not in _TASKS:
        for entry in entry_points(group=GROUP, name=name):
            _offered(name, entry.value, entry.load())
    if name not in _TASKS:
        raise UserError(
            f"no task or file {name!r}: expected one of {', '.join(task_names())}, or a JSONL file"
        )
    given = {"n": n, "seed": seed}
    made = _TASKS[name](**{option: value for option, value in given.items() if value is not None})
    if not isinstance(made, Task):
        raise UserError(f"task {name} gave {shown(made)}, expected a Task (faultlens.corpus.task)")
    return made


def _offered(name: str, place: str, generator: Any) -> None:
    """Register what an entry point holds; loading it may have done so by the decorator already."""
    if not callable(generator):
        raise UserError(
            f"the entry point {name} of {GROUP}, {place}, is {shown(generator)}: expected a "
            "function (n, seed) -> Task"
        )
    if name not in _TASKS:
        task(name)(generator)
