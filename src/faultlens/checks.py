"""Checks of single options: one sentence that says what was given and what is expected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

from faultlens.errors import UserError


def check_whole(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Raises UserError unless `value` is a whole number from `least` to `most`."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        span = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise UserError(f"{name} {value!r}: expected a whole number {span}")


def check_probability(name: str, value: Any) -> None:
    """Raises UserError unless `value` is a number between 0 and 1."""
    if not isinstance(value, Real) or not 0 < float(value) < 1:
        raise UserError(f"{name} {value!r}: expected a number between 0 and 1, e.g. 0.05")


def check_flag(name: str, value: Any) -> None:
    """Raises UserError unless `value` is True or False."""
    if not isinstance(value, bool):
        raise UserError(f"{name} {value!r}: expected True or False")


def check_names(name: str, value: Any, example: str) -> None:
    """Raises UserError unless `value` is a list of texts that are not empty."""
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    if not listed or not all(isinstance(item, str) and item for item in value):
        raise UserError(f"{name} {value!r}: expected a list of names, e.g. [{example!r}]")


def check_choice(name: str, value: Any, choices: Iterable[str]) -> None:
    """Raises UserError unless `value` is one of `choices`."""
    known = tuple(choices)
    if value not in known:
        raise UserError(f"unknown {name} {value!r}: expected one of {', '.join(known)}")
