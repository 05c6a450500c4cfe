"""Task: prompts with a target answer, an optional foil, and the factors that describe them."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

from faultlens.corpus.message import read_messages, written_out
from faultlens.corpus.prompt import (
    FIELDS,
    Prompt,
    merge_spellings,
    present,
    read_factors,
    read_prompt,
    with_rewordings,
)
from faultlens.corpus.records import (
    check_spelling,
    columns_of,
    name_of,
    printable,
    read_records,
    shown,
)
from faultlens.errors import UserError

TASK_FIELDS = (*FIELDS, "messages")
"""What a line of a task may say."""

__all__ = ["Prompt", "Task", "make_task", "read_task", "task", "task_names"]


_OPTIONAL = (
    "groups",
    "messages",
    "lead",
    "rendered",
    "rewordings",
)  # of a prompt; most have none of it


@dataclass(frozen=True)
class Task:
    """Prompts under a name; all of them have the same factors.

    Attributes:
        rule: the name of the outcome rule that suits the task; None: the default suits it.
        notes: what a reader should know of how the task was read, a sentence each.
        instruction: what a user's message says before each prompt where a chat model is asked;
            empty: a prompt is a message by itself.
    """

    name: str
    prompts: tuple[Prompt, ...]
    rule: str | None = None
    notes: tuple[str, ...] = ()
    instruction: str = ""

    def __post_init__(self) -> None:
        if not self.prompts:
            raise UserError(f"task {self.name} has no prompts: expected at least one")
        for i, prompt in enumerate(self.prompts, start=1):
            if prompt.factors.keys() != self.prompts[0].factors.keys():
                raise UserError(
                    f"task {self.name}: prompt {i} has the factors {list(prompt.factors)}, the "
                    f"first has {list(self.prompts[0].factors)}: expected the same everywhere"
                )
            if prompt.groups.keys() != self.prompts[0].groups.keys():
                raise UserError(
                    f"task {self.name}: prompt {i} has the groups {list(prompt.groups)}, the "
                    f"first has {list(self.prompts[0].groups)}: expected the same everywhere"
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
    def groups(self) -> dict[str, list[str]]:
        """For each column of what prompts belong to, its value at every prompt."""
        return {
            name: [prompt.groups[name] for prompt in self.prompts]
            for name in self.prompts[0].groups
        }

    @property
    def digest(self) -> str:
        """SHA-256 over all prompts, in order."""
        records = json.dumps([_record(prompt) for prompt in self.prompts], ensure_ascii=False)
        return hashlib.sha256(records.encode()).hexdigest()


def _record(prompt: Prompt) -> dict[str, Any]:
    """A prompt as it is digested; groups, and what a chat has, only where there are some."""
    record = asdict(prompt)
    return {name: value for name, value in record.items() if value or name not in _OPTIONAL}


def read_task(path: Path, rewordings: str | None = None) -> Task:
    """Read a task from JSONL, one prompt a line.

    A line is `{"prompt", "target", "foil"?, "factors"?: {name: level}, "groups"?: {column: value},
    "accepted"?: [answer], "separator"?, "rewordings"?: [text]}`, the fields of `Prompt`;
    `"messages": [{"role", "content"}]` in place of `"prompt"` is a conversation, and a rewording of
    it takes the place of its last message, the user's. Other columns are left out, and named in
    `notes`.

    Args:
        path: the file.
        rewordings: the column that holds rewordings, under another name; None: `rewordings`.

    Raises UserError naming the file and line for anything that is not as expected, a field that
    seems to be misspelt among it.
    """
    records = [(where, present(record)) for where, record in read_records(path)]
    records = with_rewordings(printable(path), records, rewordings)
    prompts = []
    for where, record in records:
        check_spelling(where, record, TASK_FIELDS)
        prompts.append(_read_task_prompt(where, record))
    name = name_of(path)
    if not prompts:
        raise UserError(f"task {name} has no prompts: expected at least one")
    merged, notes = merge_spellings(prompts)
    others = [name for name in columns_of(records) if name not in TASK_FIELDS]
    if others:
        notes.append(
            f"{printable(', '.join(others))}: nothing is made of these columns of the task; what "
            "describes a prompt belongs under 'factors'"
        )
    return Task(name, merged, notes=tuple(notes))


def _read_task_prompt(where: str, record: dict[str, Any]) -> Prompt:
    """One line of a task: a prompt, or a conversation."""
    if "messages" not in record:
        return read_prompt(where, record, read_factors(where, record))
    if "prompt" in record:
        raise UserError(f"{where} has both 'prompt' and 'messages': expected one of them")
    messages = read_messages(where, record["messages"])
    if "rewordings" in record and messages[-1].role != "user":
        raise UserError(
            f"{where} has 'rewordings', and its last message is the {messages[-1].role}'s: "
            "expected a conversation that ends with the user's message, in whose place they are put"
        )
    plain = {**record, "prompt": written_out(messages)}
    return replace(read_prompt(where, plain, read_factors(where, record)), messages=messages)


Generator = TypeVar("Generator", bound=Callable[..., Task])
GROUP = "faultlens.tasks"
"""The group of entry points in which packages offer tasks."""

MOST_PROMPTS = 1_000_000  # of a task that is made

_TASKS: dict[str, Callable[..., Task]] = {}

NEXT_WORD = "Which word comes next? Answer with that word alone."
"""What a chat model is told before a text that breaks off."""


def task(name: str, instruction: str = "") -> Callable[[Generator], Generator]:
    """Decorator: register a function `(n, seed) -> Task` as the task called `name`.

    `instruction` is what a chat model is told before each prompt (see `Task`). The function is only
    called with an `n` that is a whole number of at least 1. A package offers its tasks by entry
    points in the group `faultlens.tasks`, under their names.
    """

    def add(generator: Generator) -> Generator:
        checked = _with_checked_n(generator, name, instruction)
        _TASKS[name] = checked
        return checked

    return add


def _with_checked_n(generator: Generator, name: str, instruction: str) -> Generator:
    @functools.wraps(generator)
    def checked(*args: Any, **options: Any) -> Task:
        n = args[0] if args else options.get("n", 1)
        if not isinstance(n, int) or isinstance(n, bool) or n < 1:
            raise UserError(f"task {name}: n is {n!r}, expected a whole number of at least 1")
        if n > MOST_PROMPTS:
            raise UserError(f"task {name}: n is {n}, expected at most {MOST_PROMPTS:,}")
        made = generator(*args, **options)
        if instruction and isinstance(made, Task):
            return replace(made, instruction=made.instruction or instruction)
        return made

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
