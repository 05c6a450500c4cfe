"""The command line: `faultlens COMMAND`. User mistakes exit with code 2 and one sentence."""

from __future__ import annotations

import sys
from typing import NoReturn

from cyclopts import App, CycloptsError

from faultlens.cli.audit import audit
from faultlens.cli.bench import bench
from faultlens.cli.compare import compare
from faultlens.cli.convert import convert
from faultlens.cli.demo import demo
from faultlens.cli.doctor import doctor
from faultlens.cli.explore import explore
from faultlens.cli.leaving import run_and_leave
from faultlens.cli.options import add_command
from faultlens.cli.outcomes import outcomes
from faultlens.cli.profile import profile
from faultlens.cli.read import read
from faultlens.cli.report import report
from faultlens.cli.reproduce import reproduce
from faultlens.cli.screen import quiet_libraries
from faultlens.cli.tokens import tokens
from faultlens.cli.train import train
from faultlens.cli.usage import sentence
from faultlens.errors import UserError


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
    "faultlens audit ioi greater-than --model gpt2 --ray auto --out runs/two",
    "faultlens audit --outcomes outcomes.jsonl --features 8-res-jb=acts.npz",
)
add_command(
    app,
    outcomes,
    "faultlens outcomes logs/task.eval",
    "faultlens outcomes samples_arc.jsonl --scorer acc_norm --factors subject",
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
    "faultlens doctor --model models/mine",
    "faultlens doctor --model gpt2 --sae gpt2-small-res-jb --layers 8",
)
add_command(
    app,
    train,
    "faultlens train texts.jsonl --layers 3 --sites resid_pre,mlp_out --out sets/a",
    "faultlens train texts.jsonl --model gpt2 --layers 8 --tokens 2M --out sets/b",
)
add_command(app, convert, "faultlens convert model.Q4_K_M.gguf --out models/mine")
add_command(
    app,
    bench,
    "faultlens bench",
    "faultlens bench --part whole --sets 40 --out validity.json",
)
add_command(app, report, "faultlens report runs/audit")
add_command(app, reproduce, "faultlens reproduce runs/audit")
add_command(
    app,
    compare,
    "faultlens compare runs/before runs/after",
    "faultlens compare runs/gpt2 runs/tuned runs/quantised --out compared.html",
)
add_command(
    app,
    explore,
    "faultlens explore runs/audit",
    "faultlens explore stores/mine --corpus texts.jsonl --port 0",
)


def main() -> NoReturn:
    """Run a command and exit; a user's mistake becomes a sentence and exit code 2."""
    quiet_libraries()
    run_and_leave(_command)


def _command() -> int:
    """Run the command that the arguments name; its exit code.

    Raises UserError for arguments that cannot be understood.
    """
    try:
        app(sys.argv[1:], exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        raise UserError(sentence(error, app)) from None
    return 0


if __name__ == "__main__":
    main()
