"""From configs to options: a command takes records, and each field of theirs is an option.

Name, type, default and help text of an option are those of the field and of the docstring under it,
and a record's title heads its options in the help. Cyclopts splits the command line and prints the
help; `values.py` reads the values, so that a wrong one is the same sentence for every command.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, is_dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from cyclopts import App, Group, Parameter

from faultlens.cli.values import LIST, as_typed, choices, metavar, parse, plain_type, takes_several
from faultlens.config import Option, build, documentation, options, values_of


@dataclass(frozen=True)
class Invocation:
    """How a command was called.

    Attributes:
        given: the options that stand on the command line, by the names of their fields.
        in_force: all of them, with the defaults of those that were not given.
    """

    given: Mapping[str, Any]
    in_force: Mapping[str, Any]

    def arguments(self, *without: str) -> dict[str, str]:
        """What is in force, as it would be typed, for the manifest; nothing for what is not set."""
        return {
            name: as_typed(value)
            for name, value in self.in_force.items()
            if value is not None and name not in without
        }


def flag(name: str) -> str:
    """The option that sets a field: `--min-support`, `-n`."""
    return f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}"


def add_command(app: App, function: Callable[..., None], *examples: str) -> None:
    """Add a command to the app.

    Args:
        app: what it is added to.
        function: its parameters annotated with a dataclass are filled from the options that the
            dataclass's fields make; one annotated with `Invocation` is told how the command was
            called; the others are positional, annotated with their type and their help text. The
            last of these may be a tuple, and takes all arguments that are left.
        examples: of calls, for the help.
    """
    taken = _Taken.of(function)
    every = [option for record in taken.records.values() for option in options(record).values()]
    parameters = [*_arguments(taken.positional, taken.hints), *_keywords(every)]

    def run(*arguments: str, **written: Any) -> None:
        function(**taken.filled(arguments, written))

    paragraphs = _shown(inspect.getdoc(function) or "").split("\n\n")
    run.__name__ = function.__name__
    run.__doc__ = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    ending = ["Examples:", *(f"  {example}" for example in examples)]
    if any(metavar(option.type) == LIST for option in every):
        ending += ["", "A LIST has commas between its items (2,3); of numbers also ranges (2-5)."]
    app.command(run, help_epilogue="\n".join(ending), sort_key=len(list(app)))


@dataclass(frozen=True)
class _Taken:
    """What a command's function takes.

    Attributes:
        hints: the annotation of each parameter.
        positional: the parameters that are arguments.
        records: those that are filled from options, with their dataclasses.
        told: those that are told how the command was called.
    """

    hints: Mapping[str, Any]
    positional: Sequence[inspect.Parameter]
    records: Mapping[str, type[Any]]
    told: Sequence[str]

    @classmethod
    def of(cls, function: Callable[..., None]) -> _Taken:
        hints: dict[str, Any] = get_type_hints(function, include_extras=True)
        parameters = inspect.signature(function).parameters.values()
        told = [name for name, hint in hints.items() if hint is Invocation]
        filled = [name for name, hint in hints.items() if is_dataclass(hint) and name not in told]
        return cls(
            hints,
            [p for p in parameters if get_origin(hints[p.name]) is Annotated],
            {name: hints[name] for name in filled},
            told,
        )

    def filled(self, arguments: Sequence[str], written: Mapping[str, Any]) -> dict[str, Any]:
        """The function's parameters, from arguments and from options as they were written.

        Raises UserError for a value that cannot be read, or that its record refuses.
        """
        values: dict[str, Any] = {
            parameter.name: arguments[place:] if _takes_rest(self.hints[parameter.name]) else text
            for place, (parameter, text) in enumerate(zip(self.positional, arguments, strict=False))
        }
        given = dict(values)
        in_force = {p.name: values.get(p.name) or None for p in self.positional}
        for name, record in self.records.items():
            known = options(record)
            of_record = {
                option: parse(flag(option), known[option].type, text)
                for option, text in written.items()
                if option in known
            }
            values[name] = build(record, of_record)
            given |= of_record
            in_force |= values_of(values[name])
        return {**values, **dict.fromkeys(self.told, Invocation(given, in_force))}


def title(record: type[Any]) -> str:
    """What heads a record's options in the help: its docstring up to the first stop or colon."""
    return re.split(r"[.:]\s", f"{inspect.getdoc(record)} ".replace("\n", " "))[0]


def _arguments(
    positional: Sequence[inspect.Parameter], hints: Mapping[str, Any]
) -> Iterator[inspect.Parameter]:
    for parameter in positional:
        kind, text = get_args(hints[parameter.name])[:2]
        shown = Parameter(name=parameter.name.upper(), help=text)
        if _takes_rest(hints[parameter.name]):
            needed = parameter.default is inspect.Parameter.empty
            shown = Parameter(name=parameter.name.upper(), help=text, required=needed)
            kind = str
        yield inspect.Parameter(
            parameter.name,
            inspect.Parameter.VAR_POSITIONAL
            if _takes_rest(hints[parameter.name])
            else inspect.Parameter.POSITIONAL_ONLY,
            default=inspect.Parameter.empty
            if _takes_rest(hints[parameter.name])
            else parameter.default,
            annotation=Annotated[kind, shown],
        )


def _takes_rest(hint: Any) -> bool:
    """Whether a positional parameter takes all arguments that are left."""
    return get_origin(get_args(hint)[0]) is tuple


def _keywords(every: Sequence[Option]) -> Iterator[inspect.Parameter]:
    titles = dict.fromkeys(title(option.record) for option in every)
    groups = {name: Group(name, sort_key=place) for place, name in enumerate(titles, 1)}
    for option in every:
        switch = plain_type(option.type) is bool
        shown = Parameter(
            name=_names(option.name),
            help=_shown(documentation(option.record)[option.name]),
            group=groups[title(option.record)],
            metavar=metavar(option.type),
            choices=choices(option.type) or None,
            show_default=_default(option),
            negative=flag(f"no_{option.name}") if switch and option.default else (),
        )
        kind: Any = bool if switch else list[str] if takes_several(option.type) else str
        if option.default is not MISSING:  # Cyclopts checks the default too, once pydantic is there
            kind = kind | None
        yield inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if option.default is MISSING else None,
            annotation=Annotated[kind, shown],
        )


def _names(name: str) -> tuple[str, ...]:
    """How an option may be written: one of a single letter with two hyphens as well."""
    return (flag(name), f"--{name}") if len(name) == 1 else (flag(name),)


def _shown(docstring: str) -> str:
    """A docstring as a terminal shows it, where nothing marks what is code."""
    return docstring.replace("`", "")


def _default(option: Option) -> str | bool:
    if option.default in (MISSING, None, (), {}) or option.default is False:
        return False
    return "yes" if option.default is True else as_typed(option.default)
