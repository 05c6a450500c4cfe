"""How long starting takes: `python benchmarks/startup.py [PAIRS]`.

Targets: `import faultlens` and `faultlens --help` within 0.3 s of bare Python; `faultlens tokens`
on the bundled model within 2 s of `import torch`; an audit says what it does within 0.5 s. Each
command runs in a process of its own, in turn with its rival; the medians of the paired differences
are printed, by the clock and in CPU seconds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

RUNS = 9
BARE = [sys.executable, "-c", "pass"]
TORCH = [sys.executable, "-c", "import torch"]
FAULTLENS = [sys.executable, "-m", "faultlens.cli.main"]
TOKENS = ["tokens", "Mary gave the keys to Tom.", "--feature", "3/17"]


@dataclass(frozen=True)
class Start:
    """A command, and what it is compared with."""

    name: str
    command: list[str]
    rival: str
    baseline: list[str]
    first_word: bool = False  # only until it says something on standard error


STARTS = (
    Start("import faultlens", [sys.executable, "-c", "import faultlens"], "bare Python", BARE),
    Start("faultlens --help", [*FAULTLENS, "--help"], "bare Python", BARE),
    Start("faultlens tokens", [*FAULTLENS, *TOKENS], "import torch", TORCH),
    Start(
        "  beside it: transformers' class",
        [sys.executable, "-c", "from transformers import GPT2LMHeadModel"],
        "import torch",
        TORCH,
    ),
    Start("an audit's first word", [*FAULTLENS, "audit", "mini-ioi"], "bare Python", BARE, True),
)


@dataclass(frozen=True)
class Taken:
    """Seconds that a process took."""

    clock: float
    cpu: float


def taken(command: list[str], first_word: bool = False) -> Taken:
    before, began = os.times(), time.perf_counter()
    if first_word:
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            assert process.stderr is not None
            assert process.stderr.readline(), "it said nothing"
            process.kill()
    else:
        subprocess.run(command, check=True, capture_output=True)
    clock, after = time.perf_counter() - began, os.times()
    used = after.children_user + after.children_system
    return Taken(clock, used - before.children_user - before.children_system)


def main(runs: int = RUNS) -> None:
    for start in STARTS:
        taken(start.command, start.first_word)
        pairs = [
            (taken(start.command, start.first_word), taken(start.baseline)) for _ in range(runs)
        ]
        clock = statistics.median(own.clock - other.clock for own, other in pairs)
        cpu = statistics.median(own.cpu - other.cpu for own, other in pairs)
        bare = statistics.median(other.clock for _, other in pairs)
        print(
            f"{start.name:<26} {clock:6.3f} s ({cpu:.3f} CPU s) above {start.rival} "
            f"({bare:.3f} s), {runs} pairs"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
