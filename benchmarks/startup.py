"""How much starting costs above bare Python: `python benchmarks/startup.py`.

Target: `import faultlens` and `faultlens --help` within 0.3 s of bare Python. Each command runs in
a process of its own, in turn with its rival; the medians of the paired differences are printed.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 9
BARE = [sys.executable, "-c", "pass"]
COMMANDS = {
    "import faultlens": [sys.executable, "-c", "import faultlens"],
    "faultlens --help": [sys.executable, "-m", "faultlens.cli.main", "--help"],
}


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    for name, command in COMMANDS.items():
        seconds(command)
        pairs = [(seconds(command), seconds(BARE)) for _ in range(RUNS)]
        above = statistics.median(a - b for a, b in pairs)
        bare = statistics.median(b for _, b in pairs)
        print(f"{name:<18} {above:6.3f} s above bare Python ({bare:.3f} s), {RUNS} pairs")


if __name__ == "__main__":
    main()
