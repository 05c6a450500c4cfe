"""An audit that is killed or interrupted goes on where it stopped, and comes out the same."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faultlens.runs.checkpoint import Checkpoint

Run = Callable[..., tuple[int, str, str]]
AUDIT = [
    "audit", "mini-ioi", "-n", "40", "--layers", "3", "--no-fit-check", "--no-baselines",
    "--permutations", "99", "--test-classes", "0", "--test-attributed", "1", "--out", "run",
]  # fmt: skip
UNFINISHED = ".run.unfinished"
PATIENCE = 120  # seconds


@contextmanager
def started(here: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "faultlens.cli.main", *AUDIT, *more],
        cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait(process: subprocess.Popen[str], until: Callable[[], bool]) -> None:
    """Until something is so. The process must not end before."""
    end = time.monotonic() + PATIENCE
    while not until():
        assert process.poll() is None, "it ended first"
        assert time.monotonic() < end
        time.sleep(0.02)


def stages(here: Path, pattern: str = "*.json") -> dict[str, int]:
    """When each finished stage was written, in nanoseconds."""
    return {path.name: path.stat().st_mtime_ns for path in (here / UNFINISHED).glob(pattern)}


def seed_of(here: Path) -> str | None:
    """Of the run that the stages are of."""
    try:
        key = json.loads((here / UNFINISHED / "key.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(key["arguments"]["seed"])


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a run leaves it that is killed once the margin has been attributed."""
    here = tmp_path_factory.mktemp("killed")
    with started(here) as process:
        wait(process, lambda: bool(stages(here, "attribution-*.json")))
        process.send_signal(signal.SIGKILL)
        assert process.wait(PATIENCE) == -signal.SIGKILL
    assert [path.name for path in here.iterdir()] == [UNFINISHED], "no half-written run"
    assert not stages(here, "trial-*.json"), "none was done yet"
    return here


def test_a_killed_audit_goes_on_and_comes_out_the_same(
    killed: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, here = tmp_path / "whole", Path(shutil.copytree(killed, tmp_path / "here"))
    whole.mkdir()
    monkeypatch.chdir(whole)
    assert run(*AUDIT)[0] == 0
    before, after = stages(here), {}
    assert {"key.json", "outcomes.json"} < set(before)
    forget = Checkpoint.forget

    def forgotten(self: Checkpoint) -> None:
        after.update(stages(here))
        forget(self)

    monkeypatch.setattr(Checkpoint, "forget", forgotten)
    monkeypatch.chdir(here)
    assert run(*AUDIT)[0] == 0
    assert after.items() > before.items(), "what was done is not done again"
    assert any(name.startswith("trial-") for name in after)
    for folder in (whole, here):
        assert [path.name for path in folder.iterdir()] == ["run"], "nothing is left over"
    assert (here / "run" / "audit.json").read_bytes() == (whole / "run" / "audit.json").read_bytes()


def test_other_arguments_throw_the_stages_away_and_an_interrupt_keeps_them(
    killed: Path, tmp_path: Path
) -> None:
    here = Path(shutil.copytree(killed, tmp_path / "here"))
    assert seed_of(here) == "0"
    with started(here, "--seed", "1") as process:
        wait(process, lambda: seed_of(here) == "1")
        assert not stages(here, "attribution-*.json")
        wait(process, lambda: bool(stages(here, "outcomes.json")))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
    assert said.splitlines()[-1] == (
        "faultlens: interrupted. An audit with --out goes on where it stopped: give the same "
        "command again"
    )
    assert "Traceback" not in said
    assert [path.name for path in here.iterdir()] == [UNFINISHED]
    assert set(stages(here)) >= {"key.json", "outcomes.json"}
