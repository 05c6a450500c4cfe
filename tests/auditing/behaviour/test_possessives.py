"""Owners, told from verbs and closing quotes."""

from __future__ import annotations

import pytest

from faultlens.auditing.behaviour.possessives import is_owner, possessive_phrase


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("Lucy|'s room", True),
        ("Lucy|'s", True),
        ("Lucy|'s, not mine", True),
        ("LUCY|'S room", True),
        ("Lucy|'s own", True),
        ("Lucy|'s and Dan's rooms", True),
        ("Lucy|'s going", False),
        ("Lucy|'s not", False),
        ("Lucy|'s in the gym", False),
        ("Lucy|'s his sister", False),
        ("Lucy|", False),
        ("Lucy|'sson", False),
        ("Lucy|' room", False),
        ("that|'s Ann", False),
        ("it|'s door", False),
        ("let|'s friends", False),
        ("James|' car", True),
        ("the boys|' room", True),
        ("James|'", False),
        ("James|' and", False),
        ("a 'note to James|' said", False),
        ("the dog's note to James|' car", True),
    ],
)
def test_an_owner_is_told_from_a_verb_and_a_closing_quote(text: str, owner: bool) -> None:
    """The word ends at the stroke."""
    assert is_owner(text.replace("|", ""), text.index("|")) is owner


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("the store's manager, who", "the store's manager"),
        ("the old library's most valuable", "the old library's most"),
        ("Mary-Ann's mother", "Mary-Ann's mother"),
        ("her friend's house", "her friend's house"),
        ("Ann's.", "Ann's"),
        ("the store's", None),
        ("the store's.", None),
        ("James' mother", "James' mother"),
        ("the store's closed to", "the store's closed"),
        ("the store's going to", None),
        ("the door to Ann's room", None),
        ("it's room", None),
        ("the man who's", None),
        ("Ann, Dan's friend", None),
        ("", None),
    ],
)
def test_an_owner_and_what_it_owns_begin_a_phrase(text: str, phrase: str | None) -> None:
    assert possessive_phrase(text) == phrase
