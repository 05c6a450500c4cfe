"""The help: light, whole, and fit for a terminal of 80 columns."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from dataclasses import dataclass

import pytest
from cyclopts import App

from faultlens.auditing.config import AuditConfig
from faultlens.cli.main import app
from faultlens.cli.options import add_command, flag
from faultlens.config import documentation, options
from faultlens.models.lens_config import LensConfig
from faultlens.profiling.config import ProfileConfig

COMMANDS = [name for name in app if not name.startswith("-")]


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")


def help_of(*command: str) -> str:
    return printed_by(app, *command)


def printed_by(program: App, *command: str) -> str:
    printed = io.StringIO()
    with redirect_stdout(printed):
        program([*command, "--help"], result_action="return_value")
    return printed.getvalue()


def unwrapped(text: str) -> str:
    """The words of a help text without its frames and line breaks."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_every_help_text_fits_eighty_columns(command: tuple[str, ...]) -> None:
    text = help_of(*command)
    assert max(map(len, text.splitlines())) <= 80
    assert "`" not in text, "no markup is left over"
    if command:
        assert f"faultlens {command[0]}" in text.split("Examples:")[1]


@pytest.mark.parametrize(
    ("command", "config"),
    [("profile", ProfileConfig), ("audit", AuditConfig), ("doctor", LensConfig)],
)
def test_every_field_of_a_config_is_an_option_with_its_docstring(
    command: str, config: type[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "2000")  # nothing is wrapped
    text = unwrapped(help_of(command))
    for option in options(config).values():
        said = documentation(option.record)[option.name].replace("`", "")
        assert said, option
        assert f"{said} " in text, option
        assert f"{flag(option.name)} " in text, option
    assert "[default: 10000]" in unwrapped(help_of("audit"))


@dataclass(frozen=True)
class Shapes:
    """What has a shape"""

    table: str = "x"
    """A matrix `[texts, d_sae]`, or [bold]."""


def test_what_stands_in_square_brackets_is_no_markup() -> None:
    """Rich would read `[words]` as a style, and leave them out."""
    tried = App(name="tried", help_format="plaintext")

    def show(shapes: Shapes) -> None:
        """Show it."""

    add_command(tried, show, "tried show")
    shown = unwrapped(printed_by(tried, "show"))
    assert "A matrix [texts, d_sae], or [bold]. [default: x]" in shown
