"""The command line: `faultlens COMMAND`. User mistakes exit with code 2 and one sentence."""

from __future__ import annotations

from typing import Any

import typer

from faultlens.cli.audit import audit
from faultlens.cli.demo import demo
from faultlens.cli.doctor import doctor
from faultlens.cli.leaving import INTERRUPTED, REFUSED, run_and_leave
from faultlens.cli.profile import profile
from faultlens.cli.read import read
from faultlens.cli.report import report
from faultlens.cli.screen import quiet_libraries, say
from faultlens.cli.tokens import tokens
from faultlens.errors import UserError

app = typer.Typer(
    help="Reads a language model's failures off its sparse features, and says what they mean.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (demo, profile, audit, read, tokens, doctor, report):
    app.command()(command)


@app.callback(invoke_without_command=True)
def options(
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
) -> None:
    if version:
        from faultlens import __version__

        say([f"faultlens {__version__}"])
        raise typer.Exit


def main() -> None:
    """Run a command; a user's mistake becomes a sentence and exit code 2."""
    quiet_libraries()
    run_and_leave(_command)


def _command() -> int:
    """Run the command that the arguments name; its exit code.

    Raises UserError for arguments that cannot be understood.
    """
    try:
        code = app(prog_name="faultlens", standalone_mode=False)
    except typer.Abort:
        return INTERRUPTED
    except Exception as error:
        misuse: Any = error
        if not hasattr(error, "format_message"):  # of the click that Typer brings along
            raise
        if not misuse.format_message().strip():  # no command at all: the help is the answer
            misuse.show()
            return REFUSED
        context = getattr(error, "ctx", None)
        command = "faultlens" if context is None else context.command_path
        message = misuse.format_message().rstrip(". ").replace("Value error, ", "")
        raise UserError(f"{message} ({command} --help shows what can be given)") from None
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    main()
