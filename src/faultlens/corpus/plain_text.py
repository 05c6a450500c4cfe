"""Plain text: one form for texts that read the same, whatever characters they are written with."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_ONE_SIGN = str.maketrans("’ʼ‘‛′‐‑−", "'''''---")
_KEPT_APART = ("<super>", "<sub>", "<fraction>", "<circle>")  # 10² is not 102
_PREPENDED = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2")  # visible signs
_TAGS = range(0xE0000, 0xE0080)  # they tell one flag from another
_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))  # text or emoji style of one character


@lru_cache(maxsize=1024)
def plain(text: str) -> str:
    """The text in the one form in which answers are compared.

    Composed as in Unicode's NFC; full-width, half-width and ligature characters as the ordinary
    ones; typographic apostrophes, hyphens and minus signs as the plain ones; without characters
    that cannot be seen (direction marks, byte order marks, joiners, soft hyphens); each run of
    white space as one space. Case, quotes and raised numbers stay.

    >>> plain("\\u200fRene\\u0301e’s  ２") == "Renée's 2"
    True
    """
    if not text.isascii():
        shown = "".join(_ordinary(c) for c in text if not _unseen(c))
        text = unicodedata.normalize("NFC", shown).translate(_ONE_SIGN)
    return re.sub(r"\s+", " ", text)


def _unseen(character: str) -> bool:
    if character in _SELECTORS:
        return True
    return (
        unicodedata.category(character) == "Cf"
        and character not in _PREPENDED
        and ord(character) not in _TAGS
    )


@lru_cache(maxsize=4096)
def _ordinary(character: str) -> str:
    """A compatibility character as the ordinary one (`ｆ` as `f`); any other as it is."""
    kind = unicodedata.decomposition(character).split(" ")[0]
    if not kind.startswith("<"):
        return character
    ordinary = unicodedata.normalize("NFKC", character)
    if kind in _KEPT_APART and any(sign.isdecimal() for sign in ordinary):
        return character
    return ordinary if ordinary.strip() or character.isspace() else character
