"""The help texts: what is written is what a reader sees."""

from __future__ import annotations

import re

import pytest
import typer

from faultlens.cli.main import app

COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_word_of_a_help_text_is_taken_for_markup(command: str) -> None:
    """Rich reads `[words]` as a style, and leaves them out."""
    options = typer.main.get_command(app).commands[command].params  # type: ignore[attr-defined]
    assert options
    for option in options:
        swallowed = re.findall(r"\[[^\]]*\]", getattr(option, "help", None) or "")
        assert not swallowed, f"{command} {option.name}"
