"""What a user can cause: a mistake, and an interrupt; a sentence each."""

from __future__ import annotations


class UserError(Exception):
    """Bad input. The message is one sentence for the user; the command line exits with code 2."""


class Interrupted(Exception):  # noqa: N818  (no error: the user wanted to stop)
    """Work was stopped with Ctrl-C. The message says what is kept; the exit code is 130."""
