"""`docs/results.md` says of every key of a result what it means, and is not stale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

from faultlens.serialisation import MERGED, keys_of, to_json, written_as

SCRIPT = Path(__file__).parents[1] / "docs" / "results.py"


@pytest.fixture
def script(imported: Callable[[Path], ModuleType]) -> ModuleType:
    return imported(SCRIPT)


def test_the_page_is_what_the_records_say(script: ModuleType) -> None:
    stale = "docs/results.md is stale: run `python docs/results.py`"
    assert script.PAGE.read_text(encoding="utf-8") == script.page(), stale


def test_every_key_of_every_record_is_described(script: ModuleType) -> None:
    records = [record for kind in script.FILES.values() for record in script.records_of(kind)]
    silent = [
        f"{record.__name__}.{key.name}"
        for record in records
        for key in keys_of(record)
        if not script.description(key)
    ]
    assert silent == []
    assert len(records) > 60


@dataclass(frozen=True)
class Shade:
    """What colour it has."""

    name: str = field(metadata=written_as("shade"))
    """The
    colour."""


@dataclass(frozen=True)
class Thing:
    """A thing.

    Attributes:
        size: how large it is; None where it
            is not known.
    """

    size: float | None
    parts: list[int]  # numbers of a|b,
    # in order
    shade: Shade | None = field(metadata=MERGED)
    silent: dict[str, bool] = field(default_factory=dict)


def test_words_come_from_below_behind_and_above_a_field(script: ModuleType) -> None:
    assert script.section(Thing) == (
        "### Thing\n\nA thing.\n\n| key | value | meaning |\n| --- | --- | --- |\n"
        "| `size` | number, or null | How large it is; null where it is not known. |\n"
        "| `parts` | list of whole number | Numbers of a\\|b, in order |\n"
        "| `shade` | string, or null | The colour. |\n"
        "| `silent` | object of true or false |  |\n"
    )
    assert [key.name for key in keys_of(Thing)] == list(to_json(Thing(None, [], None)))
