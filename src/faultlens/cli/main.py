"""The command line: `faultlens COMMAND`. User mistakes exit with code 2 and one sentence."""

from __future__ import annotations

import sys
from typing import NoReturn

from cyclopts import App, CycloptsError

from faultlens.cli.audit import audit
from faultlens.cli.demo import demo
from faultlens.cli.doctor import doctor
from faultlens.cli.options import add_command
from faultlens.cli.profile import profile
from faultlens.cli.read import read
from faultlens.cli.report import report
from faultlens.cli.screen import quiet_libraries
from faultlens.cli.tokens import tokens
from faultlens.cli.usage import sentence
from faultlens.errors import Interrupted, UserError

MISTAKE, INTERRUPTED = 2, 130
"""Exit codes: of a user's mistake, and of Ctrl-C."""


def version() -> str:
    from faultlens import __version__

    return f"faultlens {__version__}"


app = App(
    name="faultlens",
    help="Reads a language model's failures off its sparse features, and says what they mean.",
    help_format="plaintext",
    help_flags=["--help", "-h"],
    version=version,
    version_flags=["--version"],
)
app["--version"].help = "Print the version and leave."
add_command(app, demo, "faultlens demo")
add_command(
    app,
    profile,
    "faultlens profile seven-categories --out runs/profile",
    "faultlens profile texts.jsonl --model gpt2 --sae gpt2-small-res-jb",
    "faultlens profile texts.jsonl --features 6-res-jb=layer06.npz --pooled mean",
)
add_command(
    app,
    audit,
    "faultlens audit mini-ioi --out runs/audit",
    "faultlens audit ioi --model gpt2 --sae gpt2-small-res-jb --layers 8",
    "faultlens audit --outcomes outcomes.jsonl --features 8-res-jb=acts.npz",
)
add_command(
    app,
    read,
    "faultlens read texts.jsonl --layers 2,3 --out stores/mine",
)
add_command(
    app,
    tokens,
    'faultlens tokens "Mary gave the keys to Tom." --feature 3/17',
    "faultlens tokens --feature 4/1463 --corpus seven-categories",
)
add_command(
    app,
    doctor,
    "faultlens doctor",
    "faultlens doctor --model gpt2 --sae gpt2-small-res-jb --layers 8",
)
add_command(app, report, "faultlens report runs/audit")


def main() -> NoReturn:
    """Run a command and exit; a user's mistake becomes a sentence and exit code 2."""
    quiet_libraries()
    try:
        app(sys.argv[1:], exit_on_error=False, print_error=False, result_action="return_value")
    except KeyboardInterrupt:
        _leave(
            INTERRUPTED,
            "interrupted. An audit with --out goes on where it stopped: give the same command "
            "again",
        )
    except Interrupted as kept:
        _leave(INTERRUPTED, f"interrupted; {kept}")
    except UserError as error:
        _leave(MISTAKE, str(error))
    except CycloptsError as error:
        _leave(MISTAKE, sentence(error, app))
    sys.exit(0)


def _leave(code: int, said: str) -> NoReturn:
    print(f"faultlens: {said}", file=sys.stderr)
    raise SystemExit(code) from None


if __name__ == "__main__":
    main()
