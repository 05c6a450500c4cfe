"""One process at a time writes to a folder, and a dead one holds nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faultlens.errors import CannotWrite, UserError
from faultlens.runs.lock import LOCK, held

HOLDER = """
import sys
from pathlib import Path
from faultlens.runs.lock import held
sys.argv[0] = "faultlens"
with held(Path(sys.argv[1]), Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def another(work: Path, target: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, work, target],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_second_process_is_told_who_writes(tmp_path: Path) -> None:
    work, run = tmp_path / ".run.unfinished", tmp_path / "run"
    with another(work, run) as process:
        with pytest.raises(UserError) as error, held(work, run):
            raise AssertionError("both hold it")
        assert str(error.value) == (
            f"{run} is being written by another process: wait for it (process {process.pid} on "
            f"{os.uname().nodename}: faultlens {work} {run}), or choose another --out"
        )
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(30) == 0
    assert list(tmp_path.iterdir()) == [], "nothing is left of it"
    with held(work, run):
        assert [path.name for path in work.iterdir()] == [LOCK]
    assert list(tmp_path.iterdir()) == []


def test_a_dead_process_holds_nothing(tmp_path: Path) -> None:
    work, run = tmp_path / ".run.unfinished", tmp_path / "run"
    with another(work, run) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        assert (work / LOCK).exists(), "a killed process cannot tidy up"
        with held(work, run):
            pass
    assert list(tmp_path.iterdir()) == []


def test_what_is_in_progress_stays_and_the_lock_goes(tmp_path: Path) -> None:
    work = tmp_path / "work"
    with held(work, tmp_path / "run"):
        (work / "stage.json").write_text("{}")
    assert [path.name for path in work.iterdir()] == ["stage.json"]


def test_a_failure_within_frees_it_and_removes_the_folders_made(tmp_path: Path) -> None:
    work = tmp_path / "new" / "folders" / "work"

    def mistaken() -> None:
        with held(work, tmp_path / "run"):
            assert work.is_dir()
            raise UserError("wrong")

    with pytest.raises(UserError, match="wrong"):
        mistaken()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"process": "x"}', b"\xff" * 9])
def test_a_note_that_cannot_be_read_is_no_obstacle(tmp_path: Path, content: bytes) -> None:
    work, run = tmp_path / "work", tmp_path / "run"
    with another(work, run):
        (work / LOCK).write_bytes(content)
        with pytest.raises(UserError, match=r"wait for it \(it has not said which\), or choose"):
            with held(work, run):
                pass


@pytest.mark.parametrize("planted", ["lock", "work"])
def test_planted_links_are_not_followed(tmp_path: Path, planted: str) -> None:
    work, secret = tmp_path / "work", tmp_path / "secret"
    if planted == "lock":
        secret.write_text("mine")
        work.mkdir()
        (work / LOCK).symlink_to(secret)
    else:
        secret.mkdir()
        work.symlink_to(secret)
    with pytest.raises(CannotWrite, match="cannot be written"), held(work, tmp_path / "run"):
        pass
    if planted == "lock":
        assert secret.read_text() == "mine"
    else:
        assert list(secret.iterdir()) == []
