"""Configs: frozen records of options, a docstring under each field, nested a stage deep.

A field is set by its flat name, whichever stage holds it: `fl.audit(…, permutations=999)` in
Python, `faultlens audit --permutations 999` on the command line. Both read names, defaults and
documentation from here, so that each stands once. Imports nothing but the standard library.
"""

from __future__ import annotations

import ast
import inspect
import sys
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from functools import cache
from itertools import pairwise
from numbers import Integral, Real
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from faultlens.errors import UserError

ALPHA, PERMUTATIONS, SEED = 0.05, 10_000, 0
"""Defaults that both studies share: the level of a test, random draws behind it, and their seed."""

MOST_VALUES = 10_000
"""That a list option may hold: `range(10**9)` as layers is refused, not spelled out in memory."""

Config = TypeVar("Config")
Verb = TypeVar("Verb", bound=Callable[..., Any])


@dataclass(frozen=True)
class Option:
    """One field of a config, or of one of its stages.

    Attributes:
        name: of the field, and of the keyword that sets it.
        stage: the config's field that holds the stage; None: the field is the config's own.
        record: the class that has the field.
        type: as annotated.
        default: its value where nothing else is said; `MISSING` where it has to be given.
    """

    name: str
    stage: str | None
    record: type[Any]
    type: Any
    default: Any


def options(config: type[Any]) -> dict[str, Option]:
    """All options of a config by their flat names, its own and those of its stages, in order."""
    hints = get_type_hints(config, include_extras=True)
    found: list[Option] = []
    for field in fields(config):
        stage = hints[field.name]
        if is_dataclass(stage):
            own = get_type_hints(stage, include_extras=True)
            found += [
                Option(f.name, field.name, stage, own[f.name], _default(f))  # type: ignore[arg-type]
                for f in fields(stage)
            ]
        else:
            found.append(Option(field.name, None, config, stage, _default(field)))
    return {option.name: option for option in found}


def documentation(record: type[Any]) -> dict[str, str]:
    """The docstring under each field of a dataclass, in one line; empty where there is none."""
    found = {field.name: "" for field in fields(record)}
    body = _classes(record.__module__)[record.__name__].body
    for statement, after in pairwise(body):
        match statement, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=text)):
                found[name] = " ".join(str(text).split())
    return found


@cache
def _classes(module: str) -> dict[str, ast.ClassDef]:
    """The classes of a module as they are written."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def build(record: type[Config], given: Mapping[str, Any]) -> Config:
    """A config with the options in `given`, by flat name, and otherwise its defaults.

    Raises UserError for a value that its stage refuses.
    """
    own, of_stage = _by_stage(options(record), given)
    hints: dict[str, Any] = get_type_hints(record)
    return record(**own, **{stage: hints[stage](**values) for stage, values in of_stage.items()})


def built(record: type[Config], given: Mapping[str, Any], verb: str) -> Config:
    """`build`, for options that a user wrote.

    Raises UserError for an option that there is none of or that is missing, and for a value that
    its stage refuses.
    """
    known = options(record)
    for name in given:
        _check_known(name, known, verb)
    missing = [name for name, option in known.items() if option.default is MISSING]
    for name in missing:
        if name not in given:
            raise UserError(f"{verb} needs {name}: {documentation(record)[name]}")
    return build(record, given)


def configured(config: Config, given: Mapping[str, Any], verb: str) -> Config:
    """A config with the options in `given`, by flat name, in the place of its own.

    Args:
        config: what holds where nothing is given.
        given: lists are taken as tuples, NumPy's numbers as Python's.
        verb: what takes the options, for the sentence.

    Raises:
        UserError: an option that there is none of, or a value that its stage refuses.
    """
    known = options(type(config))
    for name in given:
        _check_known(name, known, verb)
    own, of_stage = _by_stage(known, given)
    for stage, changes in of_stage.items():
        own[stage] = replace(getattr(config, stage), **changes)
    changed: Config = replace(config, **own)  # type: ignore[type-var]
    return changed


def _check_known(name: str, known: Mapping[str, Option], verb: str) -> None:
    if name not in known:
        raise UserError(f"{verb} has no option {name!r}: expected one of {', '.join(known)}")


def values_of(config: Any) -> dict[str, Any]:
    """The options in force, by flat name."""
    return {
        option.name: getattr(config if stage is None else getattr(config, stage), option.name)
        for option in options(type(config)).values()
        for stage in [option.stage]
    }


def takes(config: type[Any]) -> Callable[[Verb], Verb]:
    """Give a verb whose `**options` are those of a config a signature that lists them."""

    def listed(verb: Verb) -> Verb:
        signature = inspect.signature(verb)
        named = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        taken = {parameter.name for parameter in named}
        flat = [
            inspect.Parameter(o.name, inspect.Parameter.KEYWORD_ONLY, default=o.default)
            for o in options(config).values()
            if o.name not in taken
        ]
        verb.__signature__ = signature.replace(parameters=[*named, *flat])  # type: ignore[attr-defined]
        return verb

    return listed


def _by_stage(
    known: Mapping[str, Option], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Values as the config's own fields and those of each stage hold them."""
    own: dict[str, Any] = {}
    of_stage: dict[str, dict[str, Any]] = {}
    for name, value in given.items():
        stage, plain = known[name].stage, _plain(known[name], value)
        if stage is None:
            own[name] = plain
        else:
            of_stage.setdefault(stage, {})[name] = plain
    return own, of_stage


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


def _plain(option: Option, value: Any) -> Any:
    """A value as a config holds it: a tuple for any list, Python's own numbers."""
    if _is_list(option.type) and isinstance(value, Iterable) and not isinstance(value, str):
        if isinstance(value, Sequence) and len(value) > MOST_VALUES:
            raise UserError(
                f"{option.name} holds {len(value):,} values: expected at most {MOST_VALUES:,}"
            )
        return tuple(_number(item) for item in value)
    return _number(value)


def _is_list(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, types.UnionType, Annotated):
        return any(_is_list(part) for part in get_args(annotation))
    return get_origin(annotation) is tuple


def _number(value: Any) -> Any:
    """One of NumPy's as Python's; anything else as it is."""
    if isinstance(value, bool | int | float) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) else float(value)
