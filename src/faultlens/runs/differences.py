"""Where two records of a run differ: numbers beyond a tolerance, and whatever else is unlike.

A record is what a JSON file holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TOLERANCE = 1e-6
"""Numbers that differ by less, relative to the larger, or absolutely below 1, are the same."""


@dataclass(frozen=True)
class Difference:
    """One value that is not the same.

    Attributes:
        place: the keys that lead to it, e.g. `sites.3-res-mini.tested`; `[2]` is an item of a list.
        was: what the first record has there; `ABSENT` where it has nothing.
        now: what the second has.
    """

    place: str
    was: Any
    now: Any


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


ABSENT = _Absent()


def differences(
    was: Any, now: Any, tolerance: float = TOLERANCE, place: str = ""
) -> Iterator[Difference]:
    """Everything that differs between two records, in the order of the first.

    >>> list(differences({"n": 3, "p": [0.5, 0.1]}, {"n": 3, "p": [0.5, 0.2]}))
    [Difference(place='p[1]', was=0.1, now=0.2)]
    """
    if isinstance(was, dict) and isinstance(now, dict):
        for key in [*was, *(key for key in now if key not in was)]:
            inner = f"{place}.{key}" if place else str(key)
            yield from differences(was.get(key, ABSENT), now.get(key, ABSENT), tolerance, inner)
    elif isinstance(was, list) and isinstance(now, list):
        for i in range(max(len(was), len(now))):
            one, other = (of[i] if i < len(of) else ABSENT for of in (was, now))
            yield from differences(one, other, tolerance, f"{place}[{i}]")
    elif not _same(was, now, tolerance):
        yield Difference(place, was, now)


def _same(was: Any, now: Any, tolerance: float) -> bool:
    if _is_number(was) and _is_number(now):
        return math.isclose(was, now, rel_tol=tolerance, abs_tol=tolerance)
    return type(was) is type(now) and bool(was == now)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
