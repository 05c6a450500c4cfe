"""Where a command writes: asked before the work, one process at a time, nothing half-written."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from faultlens.runs.claim import claimed, work_folder
from faultlens.runs.lock import held
from tests.cli.calling import run

TWO = '{"text": "x = 1", "category": "A"}\n{"text": "hello there", "category": "B"}\n'
FAST = ("--layers", "3", "--no-fit-check")
PROFILE = ("profile", "corpus.jsonl", *FAST, "--permutations", "99", "--out")
AUDIT = (
    "audit", "mini-ioi", "-n", "12", *FAST, "--permutations", "99", "--no-baselines",
    "--test-classes", "0", "--test-attributed", "0", "--out",
)  # fmt: skip
READ = ("read", "corpus.jsonl", *FAST, "--out")
DEMO = ("demo", "--out")
TRAIN = ("train", "corpus.jsonl", "--layers", "3", "--tokens", "100", "--out")
WRITERS = [PROFILE, AUDIT, READ, DEMO, TRAIN]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus.jsonl").write_text(TWO)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The sentence of a command that ends before its work begins."""
    import faultlens as fl

    def load(*given: object, **options: object) -> None:
        raise AssertionError("the work began")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fl, "load", load)
        patch.setattr(fl, "train", load)
        code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, ""), err
    (sentence,) = [line for line in err.splitlines() if line.startswith("faultlens: ")]
    return sentence.removeprefix("faultlens: ")


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


IMPOSSIBLE: dict[str, tuple[str, str]] = {
    "too long": ("n" * 300, "cannot be written: File name too long"),
    "the root": ("/", "nothing is replaced, choose another --out"),
    "/proc": ("/proc/run", "cannot be written: No such file or directory"),
    "a file": ("corpus.jsonl", "corpus.jsonl"),
    "in a file": ("corpus.jsonl/run", "cannot be written: Not a directory"),
    "somebody's": ("mine", "mine"),
    "full": ("/dev/full", "/dev/full"),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
@pytest.mark.parametrize("command", WRITERS, ids=lambda command: str(command[0]))
def test_an_impossible_out_is_refused_before_the_work(
    capsys: pytest.CaptureFixture[str], here: Path, command: tuple[str, ...], what: str
) -> None:
    (here / "mine").mkdir()
    (here / "mine" / "thesis.tex").write_text("years of work")
    before = tree(here)
    out, said = IMPOSSIBLE[what]
    if what == "the root" and command in (READ, TRAIN):
        said = "/ exists and holds no store: choose another --out"
        if command is TRAIN:
            said = "/ holds files that are no training run"
    sentence = refused(capsys, *command, out)
    assert said in sentence
    assert tree(here) == before
    assert sorted(path.name for path in here.iterdir()) == ["corpus.jsonl", "mine"]


@pytest.mark.parametrize("command", WRITERS, ids=lambda command: str(command[0]))
def test_a_full_disk_is_noticed_before_the_work(
    capsys: pytest.CaptureFixture[str],
    here: Path,
    command: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = os.fsync

    def full(handle: int) -> None:
        own(handle)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert refused(capsys, *command, "run") == "run cannot be written: No space left on device"
    assert [path.name for path in here.iterdir()] == ["corpus.jsonl"]


@pytest.mark.parametrize("command", WRITERS, ids=lambda command: str(command[0]))
def test_one_process_writes_at_a_time(
    capsys: pytest.CaptureFixture[str], here: Path, command: tuple[str, ...]
) -> None:
    within = command in (READ, TRAIN)
    work = here / "run" / "unfinished" if within else work_folder(here / "run")
    with held(work, Path("run")):
        assert "run is being written by another process: wait for it (process " in refused(
            capsys, *command, "run"
        )
    assert [path.name for path in here.iterdir()] == ["corpus.jsonl"]


def test_a_report_is_not_built_while_the_run_is_replaced(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    assert run(capsys, *PROFILE, "run")[0] == 0
    with claimed(Path("run"), overwrite=True):
        assert "run is being written by another process" in refused(capsys, "report", "run")
    assert run(capsys, "report", "run")[:2] == (0, "The report: run/report.html\n")


def test_a_run_is_replaced_only_on_demand_and_whole(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    assert run(capsys, *AUDIT, "run")[0] == 0
    before = tree(here / "run")
    for command in (PROFILE, AUDIT):
        assert refused(capsys, *command, "run") == (
            "run holds a run already: choose another --out, or give --overwrite"
        )
    assert refused(capsys, *READ, "run").startswith("run/manifest.json is not the plan of a store")
    (here / "run" / "thesis.tex").write_text("years of work")
    for command in (PROFILE, AUDIT):
        assert refused(capsys, *command, "run", "--overwrite") == (
            "run holds thesis.tex, which no run of FaultLens lists as its own: nothing is "
            "replaced, choose another --out"
        )
    (here / "run" / "thesis.tex").unlink()
    assert tree(here / "run") == before
    assert run(capsys, *PROFILE, "run", "--overwrite")[0] == 0
    assert "profile.json" in tree(here / "run") and "audit.json" not in tree(here / "run")
    assert sorted(path.name for path in here.iterdir()) == ["corpus.jsonl", "run"]


def test_a_store_is_no_run_and_is_not_replaced(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    assert run(capsys, *READ, "store")[0] == 0
    before = tree(here)
    for command in (PROFILE, AUDIT, DEMO):
        for more in ((), ("--overwrite",)):
            assert refused(capsys, *command, "store", *more) == (
                f"store cannot be replaced ({here / 'store'} holds a store of faultlens read, "
                "expected a run): choose another --out"
            )
    assert tree(here) == before


def test_a_link_to_a_folder_is_that_folder(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    for command in (PROFILE, AUDIT, READ):
        (here / command[0]).mkdir()
        (here / f"to-{command[0]}").symlink_to(here / command[0])
        assert run(capsys, *command, f"to-{command[0]}")[0] == 0
        assert (here / f"to-{command[0]}").is_symlink()
        assert (here / command[0] / "manifest.json").is_file()
        assert not list(here.glob(".*"))


def test_planted_links_are_not_followed_by_a_report(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    assert run(capsys, *PROFILE, "run")[0] == 0
    (here / "secret").write_text("mine")
    (here / "run" / "report.html").unlink()
    for name in ("report.html", "report.html.part"):
        (here / "run" / name).symlink_to(here / "secret")
    assert run(capsys, "report", "run")[0] == 0
    assert (here / "secret").read_text() == "mine"
    assert not (here / "run" / "report.html").is_symlink()


def test_planted_links_are_not_followed_by_a_store(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    assert run(capsys, *READ, "store")[0] == 0
    (here / "secret").write_text("mine")
    files = here / "store" / "3-res-mini"
    whole = (files / "00000.parquet").read_bytes()
    (files / "00000.parquet").unlink()
    for name in ("00000.parquet", "00000.part"):
        (files / name).symlink_to(here / "secret")
    assert run(capsys, *READ, "store")[0] == 0
    assert (here / "secret").read_text() == "mine"
    assert (files / "00000.parquet").read_bytes() == whole
    assert not (files / "00000.parquet").is_symlink()
    (files / "00000.parquet").unlink()
    (files / "00000.part").unlink()
    files.rmdir()
    (here / "elsewhere").mkdir()
    files.symlink_to(here / "elsewhere")
    code, _, err = run(capsys, *READ, "store")
    assert code == 2
    assert f"{files.relative_to(here)} is a link, expected a folder" in err
    assert not list((here / "elsewhere").iterdir())


def test_no_room_at_the_end_keeps_the_stages_and_the_same_command_goes_on(
    capsys: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from faultlens.features.store import ActivationStore

    def full(store: ActivationStore, folder: Path) -> list[Path]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(ActivationStore, "write", full)
        code, out, err = run(capsys, *AUDIT, "run")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == (
        "faultlens: run cannot be written: No space left on device; what was finished is kept, and "
        "the same command goes on from there"
    )
    assert sorted(path.name for path in here.iterdir()) == [".run.unfinished", "corpus.jsonl"]
    assert (here / ".run.unfinished" / "outcomes.json").is_file()
    assert run(capsys, *AUDIT, "run")[0] == 0
    assert sorted(path.name for path in here.iterdir()) == ["corpus.jsonl", "run"]


def test_a_full_disk_in_the_midst_of_the_work_keeps_what_is_there(
    capsys: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, calls = os.fsync, 0

    def full(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 2:  # the lock's note, the key
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        own(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        code, _, err = run(capsys, *AUDIT, "run")
    assert code == 2
    assert "outcomes.json cannot be written: No space left on device; what was finished" in err
    assert (here / ".run.unfinished" / "key.json").is_file(), "nothing that was kept is lost"
    assert run(capsys, *AUDIT, "run")[0] == 0
    audit = json.loads((here / "run" / "audit.json").read_text())
    assert audit["n"] == 12


def test_the_page_is_refused_where_results_are_not_the_runs_own(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    assert run(capsys, *AUDIT, "run")[0] == 0
    path = here / "run" / "audit.json"
    whole = path.read_text()
    path.write_text(whole.replace('"n": 12', '"n": 13'))
    expected = (
        "run/audit.json is not the file that the run wrote (its hash is not that of the manifest): "
        "restore it, or run it again"
    )
    assert refused(capsys, "report", "run") == expected
    path.unlink()
    assert refused(capsys, "report", "run") == (
        "run/audit.json is missing, and the manifest beside it lists it: run it again"
    )
    path.write_text(whole)
    assert run(capsys, "report", "run")[0] == 0
