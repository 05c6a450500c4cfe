"""Levels: the values of a factor, as they are read; spellings of one value are one level."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from faultlens.corpus.plain_text import plain
from faultlens.corpus.records import plain_value, shown, whole_text
from faultlens.errors import UserError

MOST = 10**300  # numbers above it are no float
_WHOLE = re.compile(r"(-?(?:0|[1-9][0-9]*))\.0+")


def read_level(where: str, factor: str, value: Any) -> str:
    """A level as it was written. Raises UserError for what is no word, number or truth value."""
    value = plain_value(value)
    if isinstance(value, int) and abs(value) >= MOST:
        raise UserError(f"{where}: factor {factor!r} is a number of more than 300 digits")
    if isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return whole_text(where, factor, str(value))
    raise UserError(f"{where}: factor {factor!r} is {shown(value)}, expected a word or a number")


def one_spelling(
    columns: Mapping[str, Sequence[str]], what: str = "factor"
) -> tuple[dict[str, list[str]], list[str]]:
    """Columns of levels, in which each level has one spelling; and a sentence on each merger.

    Levels that differ only in white space around them, in Unicode form, or as `1` and `1.0` do, are
    one. A level with one spelling keeps it, but for the white space around it.

    Args:
        columns: by name.
        what: a column is of, as the sentences name it.

    >>> one_spelling({"depth": ["1.0", "1", "2.0"]})
    ({'depth': ['1', '1', '2.0']}, ['factor depth: "1" and "1.0" are one level, read as "1"'])
    """
    found, sentences = {}, []
    for name, levels in columns.items():
        spellings: dict[str, set[str]] = {}
        for level in levels:
            spellings.setdefault(_key(level), set()).add(level)
        names = {
            key: key if len(written) > 1 else next(iter(written)).strip()
            for key, written in spellings.items()
        }
        found[name] = [names[_key(level)] for level in levels]
        sentences += [
            f"{what} {name}: {' and '.join(map(_quoted, sorted(written)))} are one level, read as "
            f"{_quoted(names[key])}"
            for key, written in sorted(spellings.items())
            if len(written) > 1
        ]
    return found, sentences


def _key(level: str) -> str:
    one = plain(level).strip()
    whole = _WHOLE.fullmatch(one)
    return whole[1] if whole else one


def _quoted(level: str) -> str:
    """A level in which what cannot be told by eye is written out."""
    return ascii(level).replace("'", '"') if plain(level) != level else shown(level)
