"""Thaw: a frozen result from the plain JSON values that it was written as, and back."""

from __future__ import annotations

import dataclasses
import types
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Kind = TypeVar("Kind")

FORMERLY = "formerly"
"""Key of a field's metadata: the name under which earlier versions wrote it."""


def thaw(kind: type[Kind], data: dict[str, Any]) -> Kind:
    """The dataclass `kind` with the fields in `data`, the dataclasses within it made likewise.

    A field that is not in `data` takes its default; one that was renamed is known by its former
    name too (`FORMERLY`). Raises TypeError for a field that `kind` does not have, or that it needs
    and `data` lacks.
    """
    hints = get_type_hints(kind)
    renamed = {
        field.metadata[FORMERLY]: field.name
        for field in dataclasses.fields(kind)  # type: ignore[arg-type]
        if FORMERLY in field.metadata
    }
    data = {renamed.get(name, name): value for name, value in data.items()}
    unknown = sorted(set(data) - set(hints))
    if unknown:
        raise TypeError(f"{kind.__name__} has no field {unknown[0]!r}")
    return kind(**{name: _value(hints[name], value) for name, value in data.items()})


def _value(hint: Any, value: Any) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (a for a in arguments if a is not type(None))
        return None if value is None else _value(inner, value)
    if origin is list:
        return [_value(arguments[0], item) for item in value]
    if origin is dict:
        return {key: _value(arguments[1], item) for key, item in value.items()}
    if dataclasses.is_dataclass(hint):
        return thaw(hint, value)  # type: ignore[arg-type]
    return value


def plain(value: Any, without: tuple[str, ...] = ()) -> Any:
    """A dataclass as dictionaries, lists and numbers, without the fields named at its top."""
    if dataclasses.is_dataclass(value):
        return {
            field.name: plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if field.name not in without
        }
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value
