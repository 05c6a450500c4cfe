"""Where two records differ."""

from __future__ import annotations

from typing import Any

import pytest

from faultlens.runs.differences import ABSENT, Difference, differences

RECORD = {"n": 300, "rate": 0.25, "name": "ioi", "sites": [{"p": 0.04}, {"p": None}], "done": True}


def test_a_record_is_like_itself() -> None:
    assert list(differences(RECORD, RECORD)) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"n": 301}, [Difference("n", 300, 301)]),
        ({"rate": 0.25 + 1e-9}, []),
        ({"rate": 0.2501}, [Difference("rate", 0.25, 0.2501)]),
        ({"n": 300.0}, []),
        ({"done": 1}, [Difference("done", True, 1)]),
        ({"name": "IOI"}, [Difference("name", "ioi", "IOI")]),
        ({"sites": [{"p": 0.04}, {"p": 0.5}]}, [Difference("sites[1].p", None, 0.5)]),
        ({"sites": [{"p": 0.04}]}, [Difference("sites[1]", {"p": None}, ABSENT)]),
        ({"more": "x"}, [Difference("more", ABSENT, "x")]),
    ],
)
def test_what_is_not_the_same_is_named(change: dict[str, Any], expected: list[Difference]) -> None:
    assert list(differences(RECORD, RECORD | change)) == expected


def test_the_tolerance_is_relative_to_large_numbers() -> None:
    assert list(differences(1e9, 1e9 + 100, 1e-6)) == []
    assert len(list(differences(1e9, 1e9 + 10_000, 1e-6))) == 1
    assert len(list(differences(1e-9, 2e-9, 0))) == 1
