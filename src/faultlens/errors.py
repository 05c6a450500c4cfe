"""The one error that a user can cause: a sentence with what, where, expected, next step."""

from __future__ import annotations


class UserError(Exception):
    """Bad input. The message is one sentence for the user; the command line exits with code 2."""
