"""Serialisation: frozen results as plain JSON values and back.

A field's metadata says how it is written where that is not by its own name: `WRITTEN_AS` renames
it, `NOT_WRITTEN` leaves it out, and `MERGED` puts the keys of the record that it holds beside the
field's siblings. A field that the record computes (`init=False`) is written for other programs and
not read back. JSON has no NaN and no infinity, and neither has a result.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from cattrs import ClassValidationError, Converter, transform_error
from cattrs.cols import list_structure_factory, mapping_structure_factory
from cattrs.errors import ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from faultlens.errors import UserError

Kind = TypeVar("Kind")

FORMAT_VERSION = "format_version"
WRITTEN_AS = "written_as"
NOT_WRITTEN = {"not_written": True}
MERGED = {"merged": True}

NAMES = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}


def written_as(key: str) -> dict[str, str]:
    """The metadata of a field whose key in the file is not its name."""
    return {WRITTEN_AS: key}


@dataclasses.dataclass(frozen=True)
class Key:
    """A key of a record in the file.

    Attributes:
        name: in the file.
        field: what it is written from.
        hint: that field's type.
        owner: the record that has the field: a merged one has its own.
    """

    name: str
    field: dataclasses.Field[Any]
    hint: Any
    owner: type[Any]


def keys_of(kind: type[Any]) -> list[Key]:
    """The keys with which a record is written, in their order, those of merged records in place."""
    hints, found = get_type_hints(kind), []
    for field in dataclasses.fields(kind):
        if field.metadata.get("not_written"):
            continue
        if field.metadata.get("merged"):
            hint = hints[field.name]
            absent = type(None) in get_args(hint)  # then each of its keys may be null
            found += [
                dataclasses.replace(key, hint=key.hint | None if absent else key.hint)
                for key in keys_of(_merged_kind(hint))
            ]
        else:
            name = field.metadata.get(WRITTEN_AS, field.name)
            found.append(Key(name, field, hints[field.name], kind))
    return found


def to_json(result: Any) -> Any:
    """A result as dictionaries, lists, strings and numbers; of a whole result the version first.

    Raises ValueError, naming the place, for a number that is not finite.
    """
    plain = _finite(_converter().unstructure(result), type(result).__name__)
    version = getattr(type(result), "FORMAT_VERSION", None)
    return plain if version is None else {FORMAT_VERSION: version, **plain}


def from_json(kind: type[Kind], data: Any) -> Kind:
    """The record that `to_json` wrote.

    Raises UserError, in one sentence, for another format version, a key that the record does not
    have or that is missing, and a value of another type.
    """
    version = getattr(kind, "FORMAT_VERSION", None)
    if not isinstance(data, Mapping):
        raise UserError(f"expected a JSON object, got {type(data).__name__}")
    if version is not None:
        _check_version(data.get(FORMAT_VERSION), version)
        data = {key: value for key, value in data.items() if key != FORMAT_VERSION}
    try:
        return _converter().structure(data, kind)
    except ClassValidationError as error:
        first, *more = transform_error(error, "", _sentence)
        what, _, place = first.rpartition(" @ ")
        where = f"{place.removeprefix('.')}: " if place else ""
        others = f" (and {len(more)} more)" if more else ""
        raise UserError(
            f"{where}{what}{others}; that is not what this version of FaultLens writes: run the "
            "study again"
        ) from error


def _check_version(found: Any, expected: int) -> None:
    if found == expected and not isinstance(found, bool):
        return
    if isinstance(found, int) and not isinstance(found, bool) and found > expected:
        raise UserError(
            f"it is of format {found}, and this version of FaultLens reads format {expected}: read "
            "it with the version that wrote it, or a later one"
        )
    was = "it says no format_version" if found is None else f"it is of format {found!r}"
    raise UserError(
        f"{was}, and this version of FaultLens reads format {expected}: run the study again"
    )


def _finite(value: Any, place: str) -> Any:
    """The same values, tuples as lists. Raises ValueError for NaN or infinity, with the place."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place} is {value}: a result holds finite numbers, or None")
    if isinstance(value, Mapping):
        return {key: _finite(inner, f"{place}.{key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner, f"{place}[{i}]") for i, inner in enumerate(value)]
    return value


def _sentence(error: BaseException, kind: type | None) -> str:
    """What is wrong with one value, without its place, which `transform_error` adds."""
    if isinstance(error, ForbiddenExtraKeysError):
        return f"unknown key {', '.join(sorted(error.extra_fields))}"
    if isinstance(error, KeyError):
        return "the key is missing"
    return str(error)


@cache
def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True)
    for kind in NAMES:
        converter.register_structure_hook(kind, _exactly)
    converter.register_unstructure_hook(bool, bool)  # NumPy's, where SciPy has them, are no JSON
    converter.register_structure_hook_func(_made_of(Literal), _one_of)
    converter.register_structure_hook_factory(
        _made_of(list), lambda hint: _list_reader(converter, hint)
    )
    converter.register_structure_hook_factory(
        _made_of(dict), lambda hint: _dict_reader(converter, hint)
    )
    converter.register_unstructure_hook_factory(
        dataclasses.is_dataclass, lambda kind: _writer(converter, kind)
    )
    converter.register_structure_hook_factory(
        dataclasses.is_dataclass, lambda kind: _reader(converter, kind)
    )
    return converter


def _made_of(origin: Any) -> Callable[[Any], bool]:
    """Whether a type is one of `list[…]`, `dict[…]` or `Literal[…]`."""
    return lambda hint: get_origin(hint) is origin


def _exactly(value: Any, kind: type[Any]) -> Any:
    """The value if it is of the kind: nothing is turned into another; a whole number is a number.

    >>> _exactly(1, float), type(_exactly(1, float))
    (1.0, <class 'float'>)
    """
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"{value!r} is not {NAMES[kind]}")
    return value


def _one_of(value: Any, hint: Any) -> Any:
    if value not in get_args(hint):
        raise TypeError(f"{value!r} is not one of {', '.join(map(repr, get_args(hint)))}")
    return value


def _list_reader(converter: Converter, hint: Any) -> Any:
    read = list_structure_factory(hint, converter)

    def read_list(value: Any, to: Any) -> Any:
        return read(_container(value, list), to)

    return read_list


def _dict_reader(converter: Converter, hint: Any) -> Any:
    read = mapping_structure_factory(hint, converter)

    def read_dict(value: Any, to: Any) -> Any:
        return read(_container(value, dict), to)

    return read_dict


def _container(value: Any, kind: type[Any]) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is not {'a list' if kind is list else 'an object'}")
    return value


def _overrides(kind: type[Any]) -> dict[str, Any]:
    """How cattrs is to treat the fields that are not written by their names."""
    return {
        field.name: override(
            rename=field.metadata.get(WRITTEN_AS),
            omit=True if field.metadata.get("not_written") else None,
        )
        for field in dataclasses.fields(kind)
    }


def _writer(converter: Converter, kind: type[Any]) -> Any:
    write = make_dict_unstructure_fn(
        kind, converter, _cattrs_include_init_false=True, **_overrides(kind)
    )
    merged = _merged(kind)
    if not merged:
        return write

    def write_merged(value: Any) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for key, inner in write(value).items():
            if key not in merged:
                plain[key] = inner
            elif inner is not None:
                plain |= inner
            else:
                plain |= dict.fromkeys(key.name for key in keys_of(merged[key]))
        return plain

    return write_merged


def _reader(converter: Converter, kind: type[Any]) -> Any:
    read = make_dict_structure_fn(
        kind, converter, _cattrs_forbid_extra_keys=True, **_overrides(kind)
    )
    merged = _merged(kind)
    computed = {key.name for key in keys_of(kind) if not key.field.init and key.owner is kind}
    if not merged and not computed:
        return read

    def read_merged(data: Any, to: type[Any]) -> Any:
        data = _container(data, dict)
        rest = {key: value for key, value in data.items() if key not in computed}
        for name, inner in merged.items():
            own = {key.name: rest.pop(key.name) for key in keys_of(inner) if key.name in rest}
            rest[name] = own if any(value is not None for value in own.values()) else None
        return read(rest, to)

    return read_merged


def _merged(kind: type[Any]) -> dict[str, type[Any]]:
    """By field, the records that are merged into this one."""
    hints = get_type_hints(kind)
    return {
        field.name: _merged_kind(hints[field.name])
        for field in dataclasses.fields(kind)
        if field.metadata.get("merged")
    }


def _merged_kind(hint: Any) -> type[Any]:
    """A record's type, out of `Record` or `Record | None`."""
    (kind,) = [a for a in get_args(hint) or (hint,) if a is not type(None)]
    assert isinstance(kind, type)
    return kind
