"""How long audits take beside another build: `python benchmarks/audit_clock.py --against DIR`.

DIR is a checkout of that build (`git worktree add --detach DIR 2397612`). Every case runs in both
builds, each time as a process of its own on one thread, two processes at once, so that both builds
have the same neighbours. Processor seconds decide: of audits at GPT-2's shape (`audit_run.py`)
those of the audit itself, without making the random model and dictionary; of commands all of them.
The cases: one audit at GPT-2's shape (twice), five seeds of it, `faultlens audit ioi --model mini`,
`faultlens audit mini-ioi`, `faultlens demo`. Of `mini` it is also said whether all verdicts are the
same, and, in this build, whether they are so without stopping early. Writes
`benchmarks/results/audit_clock.json`, from which `python benchmarks/performance.py` writes the
page. All of it: about 14 minutes on two quiet cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "audit_clock.json"
REPEATS = {"five seeds": 1, "one audit": 2, "mini": 1, "mini-ioi": 1, "demo": 1}
"""The cases, the longest first, and how often each is run in each build."""
AT_ONCE = 2
STAGE = re.compile(r"^ +([\d.]+) s +([\d.]+) CPU s  (.+)$")
ALPHA = 0.05


def command(case: str, build: Path, out: Path) -> list[str]:
    """What a case runs in a build; `out` is where it writes its run."""
    audit_run, cli = str(build / "benchmarks" / "audit_run.py"), ["-m", "faultlens.cli.main"]
    arguments = {
        "one audit": [audit_run],
        "five seeds": [audit_run, "5"],
        "mini": [*cli, "audit", "ioi", "--model", "mini", "--out", str(out)],
        "mini-ioi": [*cli, "audit", "mini-ioi", "--out", str(out)],
        "demo": [*cli, "demo", "--out", str(out)],
    }[case]
    return [sys.executable, "-W", "ignore", *arguments]


def timed(case: str, build: Path, out: Path, *more: str) -> tuple[dict[str, float], str]:
    """Seconds of the clock and of the processor that a case takes in a build, and what it says."""
    environment = {**os.environ, "PYTHONPATH": str(build / "src"), "OMP_NUM_THREADS": "1",
                   "MKL_NUM_THREADS": "1"}  # fmt: skip
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        done = subprocess.Popen(
            [*command(case, build, out), *more], env=environment, stdout=said, stderr=errors
        )
        _, status, used = os.wait4(done.pid, 0)
        done.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        said.seek(0)
        errors.seek(0)
        text = said.read()
        if done.returncode:
            raise SystemExit(f"{case} in {build} failed:\n{errors.read()[-2000:]}")
    own = re.search(r'"cpu_seconds": ([\d.]+)', text)
    cpu = used.ru_utime + used.ru_stime if own is None else float(own[1])
    return {"seconds": seconds, "cpu": cpu}, text


def stages(said: str) -> dict[str, float]:
    """Processor seconds of each stage of `audit_run.py`, tests of classes together."""
    found = [match.groups() for match in map(STAGE.match, said.splitlines()) if match]
    ends = [float(cpu) for _, cpu, _ in found[1:]]
    total = re.search(r'"cpu_seconds": ([\d.]+)', said)
    assert total is not None
    spent: dict[str, float] = {}
    for (_, start, stage), end in zip(found, [*ends, float(total[1])], strict=True):
        name = re.sub(r"^(Testing|Attributing to) \S*\d.*", r"\1 …", stage)
        name = "Attributing to …" if name == "Attributing the margin" else name
        spent[name] = round(spent.get(name, 0.0) + end - float(start), 2)
    return spent


def tests_of(run: Path) -> dict[str, dict[str, Any]]:
    """By class its verdict, and its effects' p after Holm and whether they stopped early."""
    audit = json.loads((run / "audit.json").read_text(encoding="utf-8"))
    found = {}
    for site in audit["sites"].values():
        for one in site["classes"]:
            done = one["intervention"] or {}
            effects = [done.get("necessity"), done.get("sufficiency")]
            found[one["features"][0]] = {
                "verdict": one["verdict"],
                "p_holm": [effect and effect["p_holm"] for effect in effects],
                "early": [
                    bool(effect)
                    and effect.get("controls_counted") is not None
                    and effect["controls_counted"] < effect["controls_planned"]
                    for effect in effects
                ],
            }
    return found


def same_without_stopping(early: Path, full: Path) -> dict[str, Any]:
    """What stopping early changes on `mini`: verdicts, and p of tests that did not stop.

    Args:
        early: the run.
        full: the same without stopping.
    """
    one, other = tests_of(early), tests_of(full)
    pairs = [
        (p, q, stopped)
        for name, found in one.items()
        for p, q, stopped in zip(
            found["p_holm"], other[name]["p_holm"], found["early"], strict=True
        )
        if p is not None and q is not None
    ]
    # Holm's factors count the smaller p of all tests, so only what is significant can be compared.
    return {
        "classes": len(one),
        "same verdicts": all(one[name]["verdict"] == other[name]["verdict"] for name in one),
        "tests": len(pairs),
        "stopped early": sum(stopped for _, _, stopped in pairs),
        "significant in one alone": sum((p <= ALPHA) != (q <= ALPHA) for p, q, _ in pairs),
        "stopped and significant": sum(min(p, q) <= ALPHA for p, q, s in pairs if s),
    }


def ratio(old: list[float], new: list[float]) -> dict[str, float]:
    """Median, least and most of old / new, pair by pair."""
    found = sorted(a / b for a, b in zip(old, new, strict=True))
    return {"median": statistics.median(found), "least": found[0], "most": found[-1],
            "repeats": len(found)}  # fmt: skip


def compared(
    case: str, runs: dict[str, list[tuple[dict[str, float], str, Path]]]
) -> dict[str, Any]:
    """A case in both builds; `runs`: by build, what each took and said, and where it wrote."""
    cpu = {name: [spent["cpu"] for spent, _, _ in of] for name, of in runs.items()}
    found: dict[str, Any] = {
        "cpu": {name: [round(one, 2) for one in of] for name, of in cpu.items()},
        "seconds": {n: [round(one["seconds"], 2) for one, _, _ in of] for n, of in runs.items()},
        "times as quick": ratio(cpu["before"], cpu["now"]),
    }
    if case in ("one audit", "five seeds"):
        found["stages"] = {name: stages(of[-1][1]) for name, of in runs.items()}
        return found
    verdicts = {
        name: {k: v["verdict"] for k, v in tests_of(of[-1][2]).items()} for name, of in runs.items()
    }
    found["verdicts"] = {
        "classes": len(verdicts["before"]),
        "changed": [
            f"{name}: {old} → {verdicts['now'].get(name)}"
            for name, old in verdicts["before"].items()
            if verdicts["now"].get(name) != old
        ],
    }
    return found


def measure(cases: list[str], builds: dict[str, Path], folder: Path) -> dict[str, dict[str, Any]]:
    """All cases in both builds, two processes at once; and `mini` without stopping early."""
    jobs = [
        (case, name, folder / f"{case}-{name}-{number}".replace(" ", "-"), ())
        for case in cases
        for number in range(REPEATS[case])
        for name in builds
    ]
    if "mini" in cases:
        jobs.append(("mini", "full", folder / "full", ("--no-stop-early",)))

    def run(job: tuple[str, str, Path, tuple[str, ...]]) -> tuple[dict[str, float], str, Path]:
        case, name, out, more = job
        spent, said = timed(case, builds.get(name, builds["now"]), out, *more)
        print(f"{case}, {name}: {spent['cpu']:.1f} CPU s, {spent['seconds']:.1f} s", flush=True)
        return spent, said, out

    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = list(pool.map(run, jobs))
    found: dict[str, dict[str, Any]] = {"cases": {}}
    for case in cases:
        of = {
            name: [one for job, one in zip(jobs, done, strict=True) if job[:2] == (case, name)]
            for name in builds
        }
        found["cases"][case] = compared(case, of)
        if case == "mini":
            found["stopping early"] = same_without_stopping(of["now"][0][2], done[-1][2])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, required=True, help="checkout of the earlier build")
    parser.add_argument("--cases", default=",".join(REPEATS), help="some of: " + ", ".join(REPEATS))
    parser.add_argument("--loaded", action="store_true", help="the machine does other things too")
    given = parser.parse_args()
    builds = {"before": given.against.resolve(), "now": HERE.parent}
    record = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"cases": {}}
    with tempfile.TemporaryDirectory() as folder:
        found = measure(given.cases.split(","), builds, Path(folder))
    record["cases"] |= found.pop("cases")
    record |= found | {
        "loaded": given.loaded,
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "at once": AT_ONCE,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    RESULTS.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
