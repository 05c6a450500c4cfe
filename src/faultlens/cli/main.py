"""The command line: `faultlens COMMAND`. User mistakes exit with code 2 and one sentence."""

from __future__ import annotations

import typer

from faultlens.cli.audit import audit
from faultlens.cli.demo import demo
from faultlens.cli.doctor import doctor
from faultlens.cli.leaving import run_and_leave
from faultlens.cli.profile import profile
from faultlens.cli.read import read
from faultlens.cli.report import report
from faultlens.cli.screen import quiet_libraries, say
from faultlens.cli.tokens import tokens

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
    run_and_leave(app)


if __name__ == "__main__":
    main()
