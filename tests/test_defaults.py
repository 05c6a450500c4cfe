"""No default stands twice: what an option is where nothing is said is written in one place."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import faultlens
from faultlens.auditing.config import AuditConfig
from faultlens.config import options
from faultlens.features.dataset.config import DatasetConfig
from faultlens.models.lens_config import LensConfig
from faultlens.profiling.config import ProfileConfig
from faultlens.training.config import TrainConfig

SOURCE = Path(faultlens.__file__).parent
NAMES = {
    name
    for config in (LensConfig, ProfileConfig, AuditConfig, DatasetConfig, TrainConfig)
    for name in options(config)
}
ELSEWHERE = ("stats", "corpus/tasks", "mini/recipe")
"""Rooms whose functions know nothing of the configs: statistics of arrays, generators of prompts,
and what makes `mini`."""


def written_defaults(source: str) -> Iterator[tuple[str, str]]:
    """Name and default of every parameter and class field whose default is spelled out.

    None, False and what is empty are no defaults: nothing is given.
    """
    for node in ast.walk(ast.parse(source)):
        pairs: list[tuple[str, ast.expr | None]] = []
        if isinstance(node, ast.FunctionDef):
            given = node.args
            positional = [*given.posonlyargs, *given.args]
            late = positional[len(positional) - len(given.defaults) :]
            pairs += zip([a.arg for a in late], given.defaults, strict=True)
            pairs += zip([a.arg for a in given.kwonlyargs], given.kw_defaults, strict=True)
        elif isinstance(node, ast.ClassDef):
            pairs += [
                (field.target.id, field.value)
                for field in node.body
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            ]
        for name, default in pairs:
            match default:
                case ast.Constant(value=None | False | ""):
                    continue
                case ast.Constant() | ast.UnaryOp():
                    yield name, ast.unparse(default)


def test_the_default_of_an_option_is_written_once() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(SOURCE.rglob("*.py")):
        where = path.relative_to(SOURCE).as_posix()
        if not where.startswith(ELSEWHERE):
            for name, default in written_defaults(path.read_text(encoding="utf-8")):
                if name in NAMES:
                    places[name].append(f"{where}: {name} = {default}")
    twice = {name: found for name, found in places.items() if len(found) > 1}
    assert not twice, twice
    assert {"pooling", "device", "test_classes", "top_k", "buffer_mb"} <= set(places), (
        "they are found at all"
    )


@pytest.mark.parametrize(
    "source",
    [
        "def f(pooling='max'): ...",
        "def f(*, a, pooling='max'): ...",
        "class C:\n    pooling: str = 'max'",
    ],
)
def test_the_walk_sees_what_is_spelled_out(source: str) -> None:
    assert list(written_defaults(source)) == [("pooling", "'max'")]


@pytest.mark.parametrize(
    "source",
    [
        "def f(pooling): ...",
        "def f(pooling=None): ...",
        "def f(pooling=ReadingConfig.pooling): ...",
        "class C:\n    pooling: str = POOLING",
    ],
)
def test_the_walk_lets_references_pass(source: str) -> None:
    assert list(written_defaults(source)) == []
