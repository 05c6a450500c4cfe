"""The help: light, whole, and fit for a terminal of 80 columns."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from cyclopts import App

import faultlens
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
        examples = text.split("Examples:\n")[1].split("\n\n")[0].splitlines()
        assert all(line.startswith(f"  faultlens {command[0]}") for line in examples), "none wraps"


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


ROOT = Path(faultlens.__file__).parents[2]
OF_OTHERS = {
    "--log_samples", "--exclude-editable", "--help", "--version",
    "--tried", "--searched", "--suspects",  # the changelog says what they are called now
}  # fmt: skip


def test_every_option_that_a_text_or_a_message_names_is_there() -> None:
    there = {
        name for command in COMMANDS for argument in arguments_of(command) for name in argument
    }
    texts = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]
    sources = [p for p in (ROOT / "src").rglob("*.py") if "recipe" not in p.parts]
    ours = {
        option
        for script in (ROOT / "benchmarks").glob("*.py")
        for option in re.findall(r'add_argument\(\s*"(--[a-z-]+)"', script.read_text("utf-8"))
    }
    unknown = {
        f"{path.name}: {option}"
        for path in [*texts, *sources]
        for option in re.findall(r"(?<![\w-])--[a-z][a-z_-]+", path.read_text(encoding="utf-8"))
        if option not in there | OF_OTHERS | (ours if path in texts else set())
    }
    assert not unknown
    assert {"--pooling", "--no-fit-check", "--test-classes"} <= there


def arguments_of(command: str) -> list[tuple[str, ...]]:
    return [argument.names for argument in app[command].assemble_argument_collection()]
