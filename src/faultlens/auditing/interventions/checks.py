"""Checks of what a user passes: whole numbers, finite numbers, and how an error shows a value."""

from __future__ import annotations

from numbers import Integral, Real


def is_whole(value: object) -> bool:
    """Whether a value is a whole number, Python's or NumPy's; a truth value is none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_finite(value: object) -> bool:
    """Whether a value is a finite number, Python's or NumPy's; a truth value is none."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    return float("-inf") < float(value) < float("inf")


def shown(value: object, limit: int = 60) -> str:
    """A value on one line of a sentence, cut at `limit` characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
