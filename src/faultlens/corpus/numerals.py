"""Numerals: how small numbers are written in digits."""

from __future__ import annotations

NUMERALS = {
    "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6",
    "seven": "7", "eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12",
}  # fmt: skip
"""By number word, its digits."""


def in_digits(answer: str) -> tuple[str, ...]:
    """The digits of a number word; nothing of any other answer.

    >>> in_digits("seven"), in_digits("Paris")
    (('7',), ())
    """
    return (NUMERALS[answer],) if answer in NUMERALS else ()
