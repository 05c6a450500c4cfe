"""`faultlens reproduce`: do a run again from its manifest, and say what differs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from faultlens.cli.run_options import JsonOption
from faultlens.cli.screen import say, say_json
from faultlens.errors import UserError
from faultlens.runs.differences import ABSENT, TOLERANCE, Difference, differences

SHOWN = 20  # differences of a file that are printed; --json has all
DIFFERS = 1  # exit code


@dataclass(frozen=True)
class ReproduceOptions:
    """What counts as the same."""

    tolerance: float = TOLERANCE
    """Numbers that differ by no more are the same: relative to the larger one, or absolute where
    that is below 1."""

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance < 1:
            raise UserError(f"tolerance is {self.tolerance:g}: expected a number from 0 to below 1")


def reproduce(
    run: Annotated[str, "A run folder"], *, same: ReproduceOptions, result: JsonOption
) -> None:
    """Do a run again from its manifest and say what differs; exit code 0 if nothing does, else 1.

    The run's command is given again in a temporary folder, from the folder in which this one is
    called: relative paths in it mean the same as then. Compared are the digests of its inputs and
    every value of audit.json, profile.json and streamed.json. Other versions of Python or packages
    are named, and are no difference by themselves.
    """
    from faultlens.runs.folder import MANIFEST

    folder = Path(run)
    was = _records(folder)
    with tempfile.TemporaryDirectory(prefix="faultlens-reproduce-") as elsewhere:
        again = Path(elsewhere) / "run"
        _repeat(folder, was[MANIFEST]["command"], again)
        now = _records(again)
    found = {name: list(differences(was[name], now[name], same.tolerance)) for name in was}
    manifest = found.pop(MANIFEST)
    versions = [d for d in manifest if d.place.startswith(("versions.", "platform"))]
    found = {
        "inputs": [d for d in manifest if d.place.startswith(("inputs.", "conventions."))],
        **found,
    }
    unlike = any(found.values())
    if result.json:
        say_json({"same": not unlike, "versions": _plain(versions), "differences": {
            name: _plain(of) for name, of in found.items()
        }})  # fmt: skip
    else:
        say(_lines(folder, was, versions, found, same.tolerance))
    if unlike:
        raise SystemExit(DIFFERS)


def _records(folder: Path) -> dict[str, Any]:
    """The manifest and the results of a run, by file.

    Raises UserError if there is no run there, or a file is not the one that the run wrote.
    """
    from faultlens.runs.folder import (
        AUDIT,
        MANIFEST,
        PROFILE,
        STREAMED,
        read_manifest,
        read_result,
    )

    manifest = read_manifest(folder)
    if manifest is None:
        raise UserError(f"{folder} is no run folder: expected one with a {MANIFEST}")
    found = {name: read_result(folder, name) for name in (PROFILE, AUDIT, STREAMED)}
    return {MANIFEST: manifest, **{name: of for name, of in found.items() if of is not None}}


def _repeat(folder: Path, command: Sequence[str], out: Path) -> None:
    """Give the run's command again, writing to `out`. Raises UserError if it does not get there."""
    arguments = [*_without_out(command[1:]), "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "faultlens.cli.main", *arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", check=False,
    )  # fmt: skip
    if done.returncode or not out.is_dir():
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise UserError(
            f"{folder} cannot be done again: faultlens {' '.join(command[1:])} ended with code "
            f"{done.returncode}{': ' + said[-1].removeprefix('faultlens: ') if said else ''}; "
            "relative paths in it are taken from the folder in which you call this"
        )


def _without_out(arguments: Sequence[str]) -> list[str]:
    """The arguments of a command without where and how its result is written."""
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument == "--out":
            skip = True
        elif not argument.startswith("--out=") and argument not in ("--overwrite", "--json"):
            kept.append(argument)
    return kept


def _plain(found: Sequence[Difference]) -> list[dict[str, Any]]:
    return [
        {name: None if value is ABSENT else value for name, value in vars(d).items()} for d in found
    ]


def _lines(
    folder: Path,
    was: Mapping[str, Any],
    versions: Sequence[Difference],
    found: Mapping[str, Sequence[Difference]],
    tolerance: float,
) -> list[str]:
    lines = [f"{folder}, done again: {'differs' if any(found.values()) else 'the same'}"]
    for name, of in found.items():
        if not of:
            compared = "digests and conventions" if name == "inputs" else "every value"
            lines.append(f"  {name}: {compared} the same, numbers to {tolerance:g}")
            continue
        lines.append(f"  {name}: {len(of):,} differ")
        lines += [f"    {d.place}: {_short(d.was)} → {_short(d.now)}" for d in of[:SHOWN]]
        if len(of) > SHOWN:
            lines.append(f"    {len(of) - SHOWN:,} more (--json lists all)")
    lines += [
        f"  Other than then: {d.place} {_short(d.was)}, now {_short(d.now)}" for d in versions
    ]
    return lines


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
