"""Token classes: what kind of surface a token is, so that firing on it can be counted.

The classes are of the surface alone. A feature whose activation falls on one of them more than a
random feature's does follows how the text is written, whatever it says.
"""

from __future__ import annotations

import ast
import keyword
import re
import unicodedata
import warnings
from collections.abc import Sequence

CLASSES = (
    "letter words",
    "digits",
    "operators and punctuation",
    "keywords",
    "whitespace",
    "emoji",
    "non-Latin script",
)

KEYWORDS = frozenset(keyword.kwlist) | frozenset(
    "bool break case catch char const do double enum export extends final float function if "
    "implements int interface let long namespace new null private protected public short static "
    "struct super switch this throw true false typedef typeof undefined unsigned var void".split()
)
"""Reserved words of Python and of the languages that C's syntax has spread to."""

_BRACED = re.compile(r"[;{}]\s*$", re.MULTILINE)
_WORD = re.compile(r"\w")
_JOINERS = "\u200d\ufe0f"  # zero-width joiner, emoji presentation


def token_classes(text: str, token_texts: Sequence[str]) -> list[str]:
    """The class of each token of `text`, given what it shows, one of `CLASSES`.

    The first that holds of a token: it has a character of an emoji · a letter or mark of a script
    other than Latin · it is a whole word that is reserved, and the text is code · a letter · a
    digit · it is white space alone · it is of operators, punctuation and other signs.

    >>> token_classes("if x: y = 2", ["if", " x", ":", " y", " =", " 2"])[:3]
    ['keywords', 'letter words', 'operators and punctuation']
    """
    code = is_code(text)
    found = []
    for place, token in enumerate(token_texts):
        kind = _surface(token)
        if kind == "letter words" and code and token.strip() in KEYWORDS:
            before = token_texts[place - 1][-1:] if place else ""
            after = token_texts[place + 1][:1] if place + 1 < len(token_texts) else ""
            goes_on = _WORD.match(token[:1]) and _WORD.match(before)
            if not goes_on and not (_WORD.match(token[-1:]) and _WORD.match(after)):
                kind = "keywords"
        found.append(kind)
    return found


def is_code(text: str) -> bool:
    """Whether `text` is Python, or has a line that ends as statements do in C's descendants."""
    if _BRACED.search(text):
        return True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes and comparisons in the text
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _surface(token: str) -> str:
    if any(is_emoji(character) for character in token):
        return "emoji"
    if any(_other_script(character) for character in token):
        return "non-Latin script"
    if any(character.isalpha() for character in token):
        return "letter words"
    if any(character.isdecimal() for character in token):
        return "digits"
    return "whitespace" if not token or token.isspace() else "operators and punctuation"


def is_emoji(character: str) -> bool:
    """Whether a character is a pictograph, a part of one, or joins two of them."""
    code = ord(character)
    return (
        0x1F000 <= code <= 0x1FAFF
        or character in _JOINERS
        or (0x2600 <= code <= 0x27BF and unicodedata.category(character) == "So")
    )


def _other_script(character: str) -> bool:
    if character.isascii() or unicodedata.category(character)[0] not in "LM":
        return False
    name = unicodedata.name(character, "")
    return not name.startswith(("LATIN", "COMBINING", "MODIFIER", "FEMININE", "MASCULINE"))
