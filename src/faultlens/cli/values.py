"""Values on the command line: from text to what a config's field holds, and back."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from faultlens.config import MOST_VALUES
from faultlens.errors import UserError

LIST = "LIST"
"""What stands for a list in the help text."""
_WHOLE = re.compile(r"([+-]?[0-9]{1,18})([kM]?)")
_TIMES = {"": 1, "k": 1000, "M": 1_000_000}
_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?")


@dataclass(frozen=True)
class Form:
    """How a value is written, beside a field's type: `Annotated[Mapping[str, Path], Form(…)]`.

    Attributes:
        metavar: what stands for it in the help text, e.g. `SITE=FILE`.
        example: for the sentence that refuses another form.
    """

    metavar: str
    example: str


def plain_type(annotation: Any) -> Any:
    """The type of an option's values: without what is annotated to it, and without None.

    Of several types (a rule's name or a function) the first can be written on a command line.
    """
    if get_origin(annotation) is Annotated:
        return plain_type(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return plain_type(get_args(annotation)[0])
    return annotation


def metavar(annotation: Any) -> str:
    """What stands for a value of this type in the help text; empty for a flag."""
    form = _form(annotation)
    if form is not None:
        return form.metavar
    kind = plain_type(annotation)
    if choices(annotation):
        return "CHOICE"
    if get_origin(kind) is tuple:
        return LIST
    return {bool: "", int: "INT", float: "NUMBER", Path: "PATH", str: "NAME"}[kind]


def choices(annotation: Any) -> tuple[str, ...]:
    """The values that an option may have; empty if they are not listed."""
    kind = plain_type(annotation)
    return get_args(kind) if get_origin(kind) is Literal else ()


def takes_several(annotation: Any) -> bool:
    """Whether the option may be repeated."""
    return get_origin(plain_type(annotation)) is Mapping


def parse(flag: str, annotation: Any, text: str | Sequence[str] | bool) -> Any:
    """The value that was written; `flag` is the option's name, for the sentence.

    Raises UserError, saying what was expected.
    """
    kind = plain_type(annotation)
    if isinstance(text, bool):
        return text
    if not isinstance(text, str):
        return _files(flag, text, _form(annotation) or Form("NAME=FILE", "name=file.npy"))
    if choices(annotation):
        return text  # Cyclopts takes no other
    if get_origin(kind) is tuple:
        if get_args(kind)[0] is int:
            return _whole_numbers(flag, text, annotation)
        return _names(flag, text)
    if kind is Path and not text:
        raise UserError(f"{flag} {text!r}: expected a path")
    if kind is int:
        found = _WHOLE.fullmatch(text)
        if found is None:
            raise UserError(f"{flag} {text!r}: expected a whole number")
        return int(found[1]) * _TIMES[found[2]]
    try:
        return kind(text)
    except ValueError:
        raise UserError(f"{flag} {text!r}: expected a number") from None


def as_typed(value: Any) -> str:
    """A value as it would be typed."""
    if isinstance(value, Mapping):
        return ",".join(f"{name}={path}" for name, path in value.items())
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return str(value)


def _form(annotation: Any) -> Form | None:
    if get_origin(annotation) is not Annotated:
        return None
    return next((extra for extra in annotation.__metadata__ if isinstance(extra, Form)), None)


def _whole_numbers(flag: str, text: str, annotation: Any) -> tuple[int, ...] | None:
    """`2,3,5-7` as numbers, or `all` as None where the option may be left open."""
    optional = type(None) in get_args(annotation)
    if optional and text.strip() == "all":
        return None
    numbers: list[int] = []
    for part in text.split(","):
        found = _RANGE.fullmatch(part.strip())
        if found is None:
            expected = "a list (2,3), a range (2-5) or all" if optional else (
                "a list (2,3) or a range (2-5)"
            )  # fmt: skip
            raise UserError(f"{flag} {text!r}: expected {expected}")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise UserError(f"{flag} {text!r}: a range runs from low to high")
        if last - first >= MOST_VALUES:
            raise UserError(
                f"{flag} {text!r} is {last - first + 1:,} numbers: expected at most {MOST_VALUES:,}"
            )
        numbers.extend(range(first, last + 1))
    return tuple(numbers)


def _names(flag: str, text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(","))
    if not all(names):
        raise UserError(
            f"{flag} {text!r} names nothing in one place: expected names with commas between"
        )
    return names


def _files(flag: str, pairs: Sequence[str], form: Form) -> dict[str, Path]:
    """`NAME=FILE` pairs by name, each name once."""
    found: dict[str, Path] = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not (name and equals and path) or "/" in name:
            raise UserError(f"{flag} {pair!r}: expected {form.metavar}, e.g. {form.example}")
        if name in found:
            raise UserError(f"{flag} {pair!r}: {name} is given twice")
        found[name] = Path(path)
    return found
