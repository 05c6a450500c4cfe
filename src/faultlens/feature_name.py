"""Names of features as results print them, `DICTIONARY/INDEX`, taken apart.

What a user types is parsed and checked where it is typed.
"""

from __future__ import annotations

from collections.abc import Iterable


def taken_apart(feature: str) -> tuple[str, int]:
    """The dictionary's name and the feature's index.

    >>> taken_apart("3-res-mini/808")
    ('3-res-mini', 808)
    """
    dictionary, _, index = feature.rpartition("/")
    return dictionary, int(index)


def dictionary_of(feature: str) -> str:
    """The dictionary's name."""
    return taken_apart(feature)[0]


def by_dictionary(features: Iterable[str]) -> dict[str, list[int]]:
    """The indices of features, by the name of their dictionary, in the order given.

    >>> by_dictionary(["3-res-mini/808", "4-res-mini/1", "3-res-mini/26"])
    {'3-res-mini': [808, 26], '4-res-mini': [1]}
    """
    found: dict[str, list[int]] = {}
    for feature in features:
        dictionary, index = taken_apart(feature)
        found.setdefault(dictionary, []).append(index)
    return found
