"""How long audits take beside another build: `python benchmarks/audit_clock.py --against DIR`.

DIR is a checkout of that build (`git worktree add --detach DIR 2397612`). Both run the same cases
in turn, each as a process of its own, on as many threads as OMP_NUM_THREADS says; processor seconds
decide, since other processes then do not matter much. The cases: an audit at GPT-2's shape
(`audit_run.py`), the same over five seeds, `faultlens audit ioi --model mini`, `faultlens demo`. Of
`mini` it is also said whether all verdicts are the same, and, in this build, whether they are so
without stopping early, and which p differ. Writes `benchmarks/results/audit_clock.json`, from which
`python benchmarks/performance.py` writes the page. All cases once: about 40 minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "audit_clock.json"
CASES = ("one audit", "five seeds", "mini", "demo")
STAGE = re.compile(r"^ +([\d.]+) s +([\d.]+) CPU s  (.+)$")
ALPHA = 0.05


def command(case: str, build: Path, out: Path) -> list[str]:
    """What a case runs in a build; `out` is where it writes its run."""
    audit_run, cli = str(build / "benchmarks" / "audit_run.py"), ["-m", "faultlens.cli.main"]
    arguments = {
        "one audit": [audit_run],
        "five seeds": [audit_run, "5"],
        "mini": [*cli, "audit", "ioi", "--model", "mini", "--out", str(out)],
        "demo": [*cli, "demo", "--out", str(out)],
    }[case]
    return [sys.executable, "-W", "ignore", *arguments]


def timed(case: str, build: Path, out: Path, *more: str) -> tuple[dict[str, float], str]:
    """Seconds of the clock and of the processor that a case takes in a build, and what it says."""
    environment = {**os.environ, "PYTHONPATH": str(build / "src")}
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [*command(case, build, out), *more],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{case} in {build} failed:\n{done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": time.perf_counter() - began, "cpu": cpu}, done.stdout


def stages(said: str) -> dict[str, float]:
    """Processor seconds of each stage of `audit_run.py`, tests of classes together."""
    found = [match.groups() for match in map(STAGE.match, said.splitlines()) if match]
    ends = [float(cpu) for _, cpu, _ in found[1:]]
    total = re.search(r'"cpu_seconds": ([\d.]+)', said)
    assert total is not None
    spent: dict[str, float] = {}
    for (_, start, stage), end in zip(found, [*ends, float(total[1])], strict=True):
        name = re.sub(r"^(Testing|Attributing to) \S*\d.*", r"\1 …", stage)
        spent[name] = round(spent.get(name, 0.0) + end - float(start), 2)
    return spent


def tests_of(run: Path) -> dict[str, dict[str, Any]]:
    """By class its verdict, and its effects' p and whether they stopped early."""
    audit = json.loads((run / "audit.json").read_text(encoding="utf-8"))
    found = {}
    for site in audit["sites"].values():
        for one in site["classes"]:
            done = one["intervention"] or {}
            effects = [done.get("necessity"), done.get("sufficiency")]
            found[one["features"][0]] = {
                "verdict": one["verdict"],
                "p": [effect and effect["p_value"] for effect in effects],
                "early": [
                    bool(effect) and effect["controls_counted"] < effect["controls_planned"]
                    for effect in effects
                ],
            }
    return found


def same_without_stopping(build: Path, folder: Path) -> dict[str, Any]:
    """What stopping early changes on `mini`: verdicts, and p of tests that did not stop."""
    early, full = folder / "early", folder / "full"
    timed("mini", build, early)
    timed("mini", build, full, "--no-stop-early")
    one, other = tests_of(early), tests_of(full)
    pairs = [
        (p, q, stopped)
        for name, found in one.items()
        for p, q, stopped in zip(found["p"], other[name]["p"], found["early"], strict=True)
        if p is not None and q is not None
    ]
    return {
        "classes": len(one),
        "same verdicts": all(one[name]["verdict"] == other[name]["verdict"] for name in one),
        "tests": len(pairs),
        "stopped early": sum(stopped for _, _, stopped in pairs),
        "p differs though not stopped": sum(p != q for p, q, stopped in pairs if not stopped),
        "stopped below alpha on either": sum(min(p, q) < ALPHA for p, q, s in pairs if s),
    }


def ratio(old: list[float], new: list[float]) -> dict[str, float]:
    """Median, least and most of old / new, pair by pair."""
    found = sorted(a / b for a, b in zip(old, new, strict=True))
    return {"median": statistics.median(found), "least": found[0], "most": found[-1],
            "repeats": len(found)}  # fmt: skip


def measure(case: str, builds: dict[str, Path], repeats: int) -> dict[str, Any]:
    """A case in both builds, in turn."""
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in builds}
    said: dict[str, str] = {}
    verdicts: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(repeats):
            for name, build in builds.items():
                out = Path(folder) / f"{name}-{number}"
                spent, said[name] = timed(case, build, out)
                seen[name].append(spent)
                print(
                    f"{case}, {name}: {spent['cpu']:.1f} CPU s, {spent['seconds']:.1f} s",
                    flush=True,
                )
                if (out / "audit.json").exists():
                    verdicts[name] = {k: v["verdict"] for k, v in tests_of(out).items()}
    found: dict[str, Any] = {
        "cpu": {name: [round(one["cpu"], 2) for one in spent] for name, spent in seen.items()},
        "seconds": {n: [round(one["seconds"], 2) for one in s] for n, s in seen.items()},
        "times as quick": ratio(*([one["cpu"] for one in seen[n]] for n in ("before", "now"))),
    }
    if case in ("one audit", "five seeds"):
        found["stages"] = {name: stages(text) for name, text in said.items()}
    if verdicts:
        changed = [
            f"{name}: {old} → {verdicts['now'].get(name)}"
            for name, old in verdicts["before"].items()
            if verdicts["now"].get(name) != old
        ]
        found["verdicts"] = {"classes": len(verdicts["before"]), "changed": changed}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, required=True, help="checkout of the earlier build")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--cases", default=",".join(CASES), help="some of: " + ", ".join(CASES))
    parser.add_argument("--loaded", action="store_true", help="the machine does other things too")
    given = parser.parse_args()
    builds = {"before": given.against.resolve(), "now": HERE.parent}
    record = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"cases": {}}
    record |= {
        "threads": torch.get_num_threads(),
        "loaded": given.loaded,
        "machine": platform.processor() or platform.machine(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    for case in given.cases.split(","):
        record["cases"][case] = measure(case, builds, given.repeats)
        RESULTS.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    if "mini" in given.cases:
        with tempfile.TemporaryDirectory() as folder:
            record["stopping early"] = same_without_stopping(builds["now"], Path(folder))
        RESULTS.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
