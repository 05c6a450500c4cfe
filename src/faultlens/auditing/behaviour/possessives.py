"""Possessives: who owns a thing ("Lucy's room"), told apart from "is", "has" and a closing quote.

English alone: other languages put the owner otherwise.
"""

from __future__ import annotations

import re

from faultlens.auditing.behaviour.function_words import (
    DETERMINERS,
    FUNCTION_WORDS,
    POSSESSIVES,
    PRONOUNS,
)

NO_OWNERS = PRONOUNS | FUNCTION_WORDS | frozenset("there here what how why let".split())
"""Words behind which "'s" is a verb or, in "let's", a pronoun."""
NOT_OWNED = (
    DETERMINERS
    | POSSESSIVES
    | frozenset(
        (
            "not been being gone going got coming doing getting having leaving looking making "
            "saying sitting standing taking talking trying waiting here there also already always "
            "just never now still so too very in on at with from"
        ).split()
    )
)
"""Words before which "'s" is "is" or "has"."""

_MARK = re.compile(r"'(?P<s>s)?(?!\w)", re.IGNORECASE)
_LAST = re.compile(r"\w+$")
_NEXT = re.compile(r" (\w+)")
_OPEN_QUOTE = re.compile(r"(?<!\w)'(?=\w)")
_ARTICLE = "|".join(sorted(DETERMINERS | POSSESSIVES))
_NAMED = re.compile(rf"(?:(?:{_ARTICLE}) (?:[\w-]+ )?)?[\w-]+(?=')", re.IGNORECASE)
"""A name, or a noun with its article and one adjective at most, before an apostrophe."""


def is_owner(text: str, end: int) -> bool:
    """Whether the word that ends at a place of a plain text only says whose the next thing is.

    Behind a word in s an apostrophe by itself does so, too, before a further word and unless it
    may close a quote.

    >>> said = ("Lucy's room", "Lucy's.", "Lucy's going home", "Lucy's the one", "Lucy, who")
    >>> [is_owner(text, 4) for text in said]
    [True, True, False, False, False]
    >>> [is_owner(text, 5) for text in ("James' car", "James' and")]
    [True, False]
    """
    mark, word = _MARK.match(text, end), _LAST.search(text[:end])
    if mark is None or word is None or word[0].lower() in NO_OWNERS:
        return False
    found = _NEXT.match(text, mark.end())
    behind = found[1].lower() if found else ""
    if mark["s"]:
        return behind not in NOT_OWNED
    closes = _OPEN_QUOTE.search(text[:end]) is not None
    return word[0][-1] in "sS" and bool(behind) and behind not in FUNCTION_WORDS and not closes


def possessive_phrase(text: str) -> str | None:
    """How far a plain text begins with an owner and the thing owned; None if it does not.

    A name may stand by itself ("Ann's"); a noun may not: a text that is cut off at "the store's"
    says no more than "the store".

    >>> said = ("the store's manager, who", "the store's", "the door to Ann's room", "Ann's")
    >>> [possessive_phrase(text) for text in said]
    ["the store's manager", None, None, "Ann's"]
    """
    owner = _NAMED.match(text)
    if owner is None or not is_owner(text, owner.end()):
        return None
    mark = _MARK.match(text, owner.end())
    assert mark is not None
    owned = _NEXT.match(text, mark.end())
    if owned is None:
        return None if " " in owner[0] else text[: mark.end()]
    return text[: owned.end()]
