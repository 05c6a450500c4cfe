"""Usage errors: what is wrong with a command line, in one sentence."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import get_args

from cyclopts import (
    App,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

MISSPELT = 0.7  # how alike names must be for one to be taken for the other


def sentence(error: CycloptsError, app: App) -> str:
    """What Cyclopts found wrong with a command line, in one sentence."""
    called = " ".join([app.name[0], *(error.command_chain or ())])
    help_text = f"{called} --help lists what there is"
    match error:
        case UnknownCommandError():
            names = [name for name in app if not name.startswith("-")]
            unknown = (error.unused_tokens or [""])[0]
            return f"unknown command {unknown!r}: {_meant(unknown, names)}"
        case UnknownOptionError():
            unknown = (error.token.keyword or error.token.value).partition("=")[0]
            names = [name for argument in error.argument_collection for name in argument.names]
            if " " in unknown:
                return f"{unknown!r} is taken for an option: put -- before what begins with -"
            return f"unknown option {unknown}: {_meant(unknown, names, help_text)}"
        case MissingArgumentError() if error.argument is not None:
            name = error.keyword or error.argument.name
            if (name.startswith("-") and error.argument.tokens) or error.keyword:
                return f"{name} needs a value: {help_text}"
            return f"{name} is missing: {help_text}"
        case RepeatArgumentError():
            return f"{error.token.keyword} is given twice: give it once"
        case CoercionError() if error.token is not None:  # all other values are text here
            choices = get_args(error.target_type)
            if not choices:
                return f"{error.token.keyword} takes no value: {help_text}"
            given = f"{error.token.keyword} {error.token.value!r}"
            return f"{given}: expected one of {', '.join(choices)}"
        case UnusedCliTokensError():
            (first, *_) = error.unused_tokens or [""]
            return f"nothing is expected where {first!r} stands: {help_text}"
    error.verbose = False
    return f"{str(error).rstrip('.')}: {help_text}"


def _meant(unknown: str, names: Iterable[str], otherwise: str = "") -> str:
    known = {name.lstrip("-"): name for name in names}
    close = get_close_matches(unknown.lstrip("-"), known, n=1, cutoff=MISSPELT)
    if close:
        return f"did you mean {known[close[0]]}?"
    return otherwise or f"expected one of {', '.join(known.values())}"
