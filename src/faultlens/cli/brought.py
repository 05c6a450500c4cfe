"""Matrices that a user brings on the command line: `--features SITE=FILE` and its like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from faultlens.errors import UserError

if TYPE_CHECKING:
    from faultlens.features.table import FeatureTable


READING = (
    "model", "sae", "layers", "sites", "release", "convention", "device", "dtype", "revision",
    "trust_pickle", "fit_check", "pooling", "long", "n", "task_seed", "seeds", "tried", "searched",
)  # fmt: skip
"""The parameters that say what a model reads or does: of no meaning for what was read elsewhere."""


def only_brought(context: typer.Context, given: Mapping[str, Any], option: str) -> dict[str, Any]:
    """What was `given` but for the parameters of reading, for a command that reads nothing.

    Raises UserError naming the first of them that stands beside `option` on the command line.
    """
    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        if parameter.name in READING and source is not None and source.name == "COMMANDLINE":
            flag = "/".join([*parameter.opts, *parameter.secondary_opts])
            raise UserError(
                f"{flag} says what a model reads or does, and beside {option} none is run: leave "
                "out one of them"
            )
    return {name: value for name, value in given.items() if name not in READING}


def named_files(option: str, pairs: Sequence[str], expected: str) -> Iterator[tuple[str, Path]]:
    """`NAME=FILE` pairs, each name once. Raises UserError saying what was expected."""
    seen: set[str] = set()
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not (name and equals and path) or "/" in name:
            raise UserError(f"{option} {pair!r}: expected {expected}")
        if name in seen:
            raise UserError(f"{option} {pair!r}: {name} is given twice")
        seen.add(name)
        yield name, Path(path)


def brought_tables(
    features: Sequence[str], texts: Sequence[str], pooled: str
) -> dict[str, FeatureTable]:
    """The tables of `--features`, by dictionary, one row a text."""
    from faultlens.features.pooling import Pooling
    from faultlens.features.table import table_from_matrix

    pooling = str(Pooling.parse(pooled))
    named = named_files("--features", features, "SITE=FILE, e.g. 6-res-jb=layer06.npz")
    return {name: table_from_matrix(name, path, texts, pooling) for name, path in named}
