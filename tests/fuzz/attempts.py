"""An attempt: one odd input given to one command, in this process, and what is wrong with the end.

A case writes its files into an empty folder and runs a command there. It may end in two ways: done,
with code 0, or refused, with code 2 and one sentence. Whatever else happens is a fault.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import signal
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Literal

from faultlens.cli.main import main
from faultlens.runs.folder import MANIFEST, PAGE

PATIENCE = 90  # seconds of wall time for one case, on a busy machine
RUNS = ("profile", "audit")
NO_WORDS = (" object at 0x", "<class '", "␊", "NoneType")
"""What a sentence for a reader does not hold, but for what a library says, in parentheses."""
Expected = Literal["refused", "done", "either"]
Content = bytes | Callable[[Path], object]
"""A file's bytes, or what makes the file, link or folder at the path that it is given."""


@dataclass(frozen=True)
class Case:
    """One odd input.

    Attributes:
        name: unique; says what is odd, e.g. `texts.jsonl/text=null`.
        arguments: of the command, paths relative to the case's folder.
        files: by path relative to that folder, what lies there.
        expected: how the command is to end.
        says: a pattern that must be found in what is printed.
    """

    name: str
    arguments: tuple[str, ...]
    files: Mapping[str, Content] = field(default_factory=dict)
    expected: Expected = "either"
    says: str = ""


@dataclass(frozen=True)
class Ending:
    """How a command ended: its code, what it printed, what lay in the folder before and after.

    Attributes:
        whole: whether what it wrote to `--out` is a run as its manifest has it; None where nothing
            was written there.
    """

    code: int
    out: str
    err: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    whole: bool | None


def attempt(case: Case, folder: Path) -> Ending:
    """Write the case's files into the empty `folder`, and run its command there."""
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content(path)
    before = contents(folder)
    here, arguments = Path.cwd(), sys.argv
    out, err = io.StringIO(), io.StringIO()
    os.chdir(folder)
    sys.argv = ["faultlens", *case.arguments]
    try:
        with redirect_stdout(out), redirect_stderr(err), patience():
            main()
        code = -1  # it never returns
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else 0
    except TookTooLong:
        code = -2
    finally:
        os.chdir(here)
        sys.argv = arguments
    after, whole = contents(folder), None
    if case.arguments[0] in RUNS and "--out" in case.arguments and code == 0:
        whole = whole_run(folder / case.arguments[case.arguments.index("--out") + 1])
    return Ending(code, out.getvalue(), err.getvalue(), before, after, whole)


def faults(case: Case, ending: Ending) -> list[str]:
    """What is wrong with how the case ended; none if all is well."""
    if ending.code == -2:
        return [f"it took more than {PATIENCE} s"]
    if "Traceback" in ending.err or ending.code not in (0, 2):
        trace = [line for line in ending.err.splitlines() if line.startswith("  File ")]
        own = [line.strip() for line in trace if "/faultlens/" in line][-1:]
        last = ending.err.strip().splitlines()[-1:]
        return [f"traceback (code {ending.code}): {' '.join([*last, *own])[:400]}"]
    found = _refused(case, ending) if ending.code == 2 else _done(case, ending)
    ended = "refused" if ending.code == 2 else "done"
    said = [line for line in ending.err.splitlines() if line.startswith("faultlens: ")]
    if case.expected not in ("either", ended):
        word = f"refused: {said}" if ended == "refused" else "accepted in silence"
        found.append(f"{word}, expected it to be {case.expected}")
    elif case.says and not re.search(case.says, ending.out + ending.err):
        found.append(f"{case.says!r} is not said in {said or ending.err[-300:]!r}")
    steering = {c for c in (ending.out + ending.err).replace("\n", "") if _steers(c)}
    if steering:
        found.append(f"printed raw: {sorted(map(ascii, steering))}")
    return found


def _refused(case: Case, ending: Ending) -> list[str]:
    """One sentence, nothing on standard output, nothing left behind."""
    found = []
    said = [line for line in ending.err.splitlines() if line.startswith("faultlens: ")]
    if len(said) != 1 or not ending.err.splitlines()[-1].startswith("faultlens: "):
        found.append(f"no single sentence at the end: {ending.err[-400:]!r}")
    elif any(raw in re.sub(r"\(.*\)", "", said[0]) for raw in NO_WORDS):
        found.append(f"no sentence for a reader: {said[0][:400]}")
    if ending.out and case.arguments[:1] != ("doctor",):  # which shows what it measured
        found.append(f"refused, and yet it printed {ending.out[:80]!r}")
    if ending.after != ending.before:
        changed = sorted(set(ending.after.items()) ^ set(ending.before.items()))
        found.append(f"half-written: {[name for name, _ in changed][:6]}")
    return found


def _done(case: Case, ending: Ending) -> list[str]:
    """Valid JSON where it was asked for, something said otherwise, and nothing left over."""
    found = []
    if "--json" in case.arguments:
        try:
            json.loads(ending.out, parse_constant=_no_number)
        except ValueError as error:
            found.append(f"--json printed no JSON: {error}")
    elif not ending.out:
        found.append("done, and nothing was said")
    new = {name: digest for name, digest in ending.after.items() if name not in ending.before}
    if ending.whole is False:
        found.append("done, and the run is not whole")
    half = [name for name in new if any(part.startswith(".") for part in Path(name).parts)]
    if half or any(name.endswith(".part") for name in new):
        found.append(f"left over: {half[:6]}")
    return found


def whole_run(folder: Path) -> bool:
    """Whether a folder holds a run as its manifest has it, and nothing else."""
    record = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    there = {name: digest for name, digest in contents(folder).items() if digest != "folder"}
    expected = {*record["files"], MANIFEST, PAGE}
    return set(there) == expected and all(
        there[name] == digest for name, digest in record["files"].items()
    )


def contents(folder: Path) -> dict[str, str]:
    """By path relative to the folder, what lies there: the hash of a file, the target of a link."""
    found = {}
    for top, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(top, name)
            shown = os.fsencode(path.relative_to(folder)).decode("utf-8", "backslashreplace")
            if path.is_symlink():
                found[shown] = f"-> {os.readlink(path)!r}"
            elif path.is_dir():
                found[shown] = "folder"
            elif path.is_file():
                found[shown] = hashlib.sha256(path.read_bytes()).hexdigest()
            else:
                found[shown] = "special"
    return found


class TookTooLong(BaseException):
    """No Exception, so that nothing on the way takes it for a fault that it can handle."""


@contextmanager
def patience() -> Iterator[None]:
    """Raises TookTooLong when a case does."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _steers(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or (
        unicodedata.bidirectional(character)
        in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        or character in "\u200e\u200f\u061c"
    )


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is no number of JSON")
