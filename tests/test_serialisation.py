"""Results as files: exactly what was written comes back, and nothing else is taken."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

from faultlens.errors import UserError
from faultlens.serialisation import (
    MERGED,
    NOT_WRITTEN,
    from_json,
    keys_of,
    to_json,
    written_as,
)


@dataclass(frozen=True)
class Colour:
    label: str = field(init=False, metadata=written_as("colour"))
    kind: Literal["red", "green"] = field(metadata=written_as("colour_kind"))
    shade: str | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", f"{self.shade} {self.kind}")


@dataclass(frozen=True)
class Ball:
    size: float
    colour: Colour = field(metadata=MERGED)
    marks: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Box:
    FORMAT_VERSION: ClassVar[int] = 3

    balls: dict[str, list[Ball]]
    paint: Colour | None = field(metadata=MERGED)
    n: int | None
    lid: bool
    notes: dict[str, Any]
    tools: list[object] | None = field(default=None, compare=False, metadata=NOT_WRITTEN)


BOX = Box(
    {"left": [Ball(0.1 + 0.2, Colour("red", "dark"), [1, 2]), Ball(2.0, Colour("green", None))]},
    None,
    None,
    False,
    {"source": "somewhere", "ends": [1, 2.5]},
    tools=[object()],
)


def test_a_result_is_written_key_by_key_and_comes_back_equal() -> None:
    written = json.loads(json.dumps(to_json(BOX)))
    assert written == {
        "format_version": 3,
        "balls": {
            "left": [
                {
                    "size": 0.1 + 0.2,
                    "colour": "dark red",
                    "colour_kind": "red",
                    "shade": "dark",
                    "marks": [1, 2],
                },
                {
                    "size": 2.0,
                    "colour": "None green",
                    "colour_kind": "green",
                    "shade": None,
                    "marks": [],
                },
            ]
        },
        "colour": None,
        "colour_kind": None,
        "shade": None,
        "n": None,
        "lid": False,
        "notes": {"source": "somewhere", "ends": [1, 2.5]},
    }
    assert next(iter(written)) == "format_version"
    read = from_json(Box, written)
    assert read == BOX
    assert read.tools is None
    assert from_json(Box, to_json(dataclasses.replace(BOX, paint=Colour("red", "pale")))).paint


def test_the_keys_are_those_of_the_file_in_its_order() -> None:
    assert [key.name for key in keys_of(Box)] == [*to_json(BOX)][1:]
    assert [key.owner for key in keys_of(Ball)] == [Ball, Colour, Colour, Colour, Ball]


REST = "; that is not what this version of FaultLens writes: run the study again"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: d.update(zz=1), "unknown key zz" + REST),
        (lambda d: d["balls"]["left"][0].update(zz=1), "balls['left'][0]: unknown key zz" + REST),
        (lambda d: d.pop("lid"), "lid: the key is missing" + REST),
        (lambda d: d.update(lid=1), "lid: 1 is not true or false" + REST),
        (lambda d: d.update(n=1.5), "n: 1.5 is not a whole number" + REST),
        (lambda d: d.update(n=True), "n: True is not a whole number" + REST),
        (lambda d: d.update(balls=[]), "balls: [] is not an object" + REST),
        (lambda d: d.update(balls={"left": {}}), "balls['left']: {} is not a list" + REST),
        (
            lambda d: d["balls"]["left"][1].update(size="2.0"),
            "balls['left'][1].size: '2.0' is not a number" + REST,
        ),
        (
            lambda d: d["balls"]["left"][1].update(colour_kind="blue"),
            "balls['left'][1].colour.kind: 'blue' is not one of 'red', 'green'" + REST,
        ),
        (
            lambda d: d.update(n="1", lid="no"),
            "n: '1' is not a whole number (and 1 more)" + REST,
        ),
        (
            lambda d: d.pop("format_version"),
            "it says no format_version, and this version of FaultLens reads format 3: run the "
            "study again",
        ),
        (
            lambda d: d.update(format_version=2),
            "it is of format 2, and this version of FaultLens reads format 3: run the study again",
        ),
        (
            lambda d: d.update(format_version=4),
            "it is of format 4, and this version of FaultLens reads format 3: read it with the "
            "version that wrote it, or a later one",
        ),
        (
            lambda d: d.update(format_version="3"),
            "it is of format '3', and this version of FaultLens reads format 3: run the study "
            "again",
        ),
    ],
)
def test_anything_else_is_refused_in_one_sentence(
    spoil: Callable[[dict[str, Any]], object], message: str
) -> None:
    data = json.loads(json.dumps(to_json(BOX)))
    spoil(data)
    with pytest.raises(UserError) as raised:
        from_json(Box, data)
    assert str(raised.value) == message


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(UserError, match="^expected a JSON object, got list$"):
        from_json(Box, [])


def test_a_whole_number_is_a_number() -> None:
    (ball,) = from_json(
        Box, {**to_json(BOX), "balls": {"x": [to_json(BOX.balls["left"][1])]}}
    ).balls["x"]
    assert ball.size == 2.0
    data = to_json(BOX)
    data["balls"]["left"][1]["size"] = 2
    assert from_json(Box, data) == BOX


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused(number: float) -> None:
    spoilt = dataclasses.replace(BOX, notes={"a": {"ends": (0.0, number)}})
    with pytest.raises(ValueError, match="finite") as raised:
        to_json(spoilt)
    assert str(raised.value) == (
        f"Box.notes.a.ends[1] is {number}: a result holds finite numbers, or None"
    )


def test_a_truth_value_of_numpys_is_written_as_one() -> None:
    """Later versions of SciPy return some where earlier ones return Python's."""

    @dataclass(frozen=True)
    class Answer:
        met: bool
        other: bool | None
        listed: list[bool]

    plain = to_json(Answer(np.bool_(True), np.bool_(False), [np.bool_(True)]))  # type: ignore[arg-type,list-item]
    assert json.dumps(plain) == '{"met": true, "other": false, "listed": [true]}'
