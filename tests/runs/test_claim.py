"""A run is written whole or not at all, and nothing is replaced that no run wrote."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from faultlens.errors import CannotWrite, UserError
from faultlens.runs import claim as claims
from faultlens.runs.claim import Claim, claimed, work_folder
from faultlens.runs.folder import Manifest

NOBODY = 65534


def fill(claim: Claim, **content: str) -> None:
    """Write a run of these files into the claimed folder, its manifest and page with them."""
    with claim.filled() as folder:
        for name, text in content.items():
            path = folder / f"{name.replace('__', '/')}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        Manifest.begin({}).write(folder)
        (folder / "report.html").write_text("page")


def write(out: Path, overwrite: bool = False, **content: str) -> None:
    with claimed(out, overwrite) as claim:
        fill(claim, **(content or {"audit": "1", "tables__levels": "2"}))


def refused(out: Path, overwrite: bool = True) -> str:
    with pytest.raises(UserError) as error:
        write(out, overwrite)
    return str(error.value)


def tree(folder: Path) -> dict[str, str]:
    """Every file and link there is, with its content."""
    return {
        path.relative_to(folder).as_posix(): os.readlink(path)
        if path.is_symlink()
        else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_a_run_is_there_when_it_is_whole(tmp_path: Path) -> None:
    with claimed(tmp_path / "new" / "run", False) as claim:
        with claim.filled() as folder:
            (folder / "audit.json").write_text("1")
            assert not (tmp_path / "new" / "run").exists()
        assert (tmp_path / "new" / "run" / "audit.json").read_text() == "1"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["run"]


def test_a_run_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def mistaken() -> None:
        with claimed(tmp_path / "new" / "run", False) as claim, claim.filled() as folder:
            (folder / "audit.json").write_text("1")
            raise UserError("wrong")

    with pytest.raises(UserError, match="wrong"):
        mistaken()
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_replaced_only_on_demand_and_whole(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write(run, audit="1", tables__levels="2")
    expected = f"{run} holds a run already: choose another --out, or give --overwrite"
    assert refused(run, overwrite=False) == expected
    write(run, overwrite=True, profile="3")
    assert set(tree(run)) == {"profile.json", "manifest.json", "report.html"}
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


FOREIGN: dict[str, Callable[[Path], object]] = {
    "thesis.tex": lambda run: (run / "thesis.tex").write_text("years of work"),
    "tables/mine.csv": lambda run: (run / "tables" / "mine.csv").write_text("1"),
    "notes/": lambda run: (run / "notes").mkdir(),
    "latest": lambda run: (run / "latest").symlink_to(run.parent),
    ".faultlens-notes.part": lambda run: (run / ".faultlens-notes.part").write_text("mine"),
    "audit.json": lambda run: as_link(run / "audit.json"),
    "tables": lambda run: as_link(run / "tables"),
    "fifo": lambda run: os.mkfifo(run / "fifo"),
}


def as_link(path: Path) -> None:
    """Move a file or folder elsewhere, and leave a link to it in its place."""
    moved = path.rename(path.parents[1] / f"moved-{path.name}")
    path.symlink_to(moved)


@pytest.mark.parametrize("name", FOREIGN)
def test_what_no_run_wrote_is_never_deleted(tmp_path: Path, name: str) -> None:
    run = tmp_path / "run"
    write(run)
    FOREIGN[name](run)
    before = tree(tmp_path) if name != "fifo" else {}
    assert refused(run) == (
        f"{run} holds {name}, which no run of FaultLens lists as its own: nothing is replaced, "
        "choose another --out"
    )
    assert (tree(tmp_path) if name != "fifo" else {}) == before


def test_many_things_in_the_way_are_counted(tmp_path: Path) -> None:
    for name in "abcde":
        (tmp_path / name).write_text("")
    assert f"{tmp_path} holds a, b, c and 2 more, which no run" in refused(tmp_path)


STORE = {"plan": {"model": {}}, "files": {}}
RUN = {"command": [], "arguments": {}, "versions": {"faultlens": "0.1.0"}, "files": {}}
MANIFESTS: dict[str, tuple[str, str]] = {
    "a store": (json.dumps(STORE), "holds a store of faultlens read, expected a run"),
    "a program's own": ('{"name": "my app", "files": ["thesis.tex"]}', "is not the manifest of a"),
    "a browser's": ('{"manifest_version": 3}', "is not the manifest of a run of FaultLens"),
    "empty": ("", "cannot be read as JSON"),
    "truncated": (json.dumps(RUN)[:40], "cannot be read as JSON"),
    "a list": ("[]", "holds a list, expected a JSON object"),
    "NaN": ('{"a": NaN}', "cannot be read as JSON: NaN is not a number of JSON"),
    "nested too deeply": ("[" * 100_000, "cannot be read as JSON: it is nested too deeply"),
    "files outside": (
        json.dumps({**RUN, "files": {"../thesis.tex": "0" * 64}}), "is not the manifest of a run"
    ),
    "absolute files": (
        json.dumps({**RUN, "files": {"/etc/passwd": "0" * 64}}), "is not the manifest of a run"
    ),
    "no hashes": (json.dumps({**RUN, "files": {"thesis.tex": "x"}}), "is not the manifest of a"),
    "files of a wrong type": (json.dumps({**RUN, "files": ["thesis.tex"]}), "is not the manifest"),
}  # fmt: skip


@pytest.mark.parametrize("what", MANIFESTS)
def test_a_folder_with_somebody_elses_manifest_is_left_alone(tmp_path: Path, what: str) -> None:
    content, said = MANIFESTS[what]
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "manifest.json").write_text(content)
    (mine / "thesis.tex").write_text("years of work")
    (tmp_path / "thesis.tex").write_text("years of work")
    before = tree(tmp_path)
    for overwrite in (False, True):
        message = refused(mine, overwrite)
        assert message.startswith(f"{mine} cannot be replaced ({mine}")
        assert said in message
        assert message.endswith("): choose another --out")
    assert tree(tmp_path) == before


def test_what_comes_into_the_folder_meanwhile_is_not_lost(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write(run)

    def late() -> None:
        with claimed(run, True) as claim:
            (run / "thesis.tex").write_text("years of work")
            fill(claim, audit="new")

    with pytest.raises(UserError, match=r"run holds thesis\.tex, which no run of FaultLens"):
        late()
    assert (run / "thesis.tex").read_text() == "years of work"
    assert (run / "audit.json").read_text() == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with claimed(run, False) as first:
        with pytest.raises(UserError, match="is being written by another process: wait for it"):
            write(run)
        (tmp_path / "link").symlink_to(tmp_path)
        with pytest.raises(UserError, match="is being written by another process: wait for it"):
            write(tmp_path / "link" / "run")
        fill(first, audit="first")
    assert (run / "audit.json").read_text() == "first"
    assert "holds a run already" in refused(run, overwrite=False)


def test_a_link_to_a_folder_is_that_folder(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "disk")
    write(tmp_path / "run")
    assert (tmp_path / "run").is_symlink()
    assert (tmp_path / "disk" / "audit.json").read_text() == "1"
    write(tmp_path / "run", overwrite=True, audit="2")
    assert (tmp_path / "run").is_symlink()
    assert (tmp_path / "disk" / "audit.json").read_text() == "2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "run"]


def test_the_folder_where_one_stands_is_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    node = (tmp_path / "run").stat().st_ino
    write(Path("."))
    write(Path("."), overwrite=True, profile="3", tables__new="4")
    names = ("profile.json", "tables/new.json", "manifest.json", "report.html")
    assert set(tree(tmp_path)) == {f"run/{name}" for name in names}
    assert (tmp_path / "run").stat().st_ino == node
    assert "holds a run already" in refused(Path("."), overwrite=False)


def test_a_mounted_folder_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be moved: what is in progress lies within it."""
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == tmp_path / "run")
    with claimed(tmp_path / "run", False) as claim:
        assert claim.work == work_folder(tmp_path / "run") == tmp_path / "run" / ".unfinished"
        fill(claim, audit="1")
    assert set(tree(tmp_path)) == {
        f"run/{name}" for name in ("audit.json", "manifest.json", "report.html")
    }
    write(tmp_path / "run", overwrite=True, audit="2")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert not (tmp_path / "run" / ".unfinished").exists()


def test_where_folders_cannot_be_moved_files_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    write(run)
    own = os.replace

    def replace(source: Path, target: Path) -> None:
        if Path(source) == run:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))  # as overlayfs does
        own(source, target)

    monkeypatch.setattr(os, "replace", replace)
    write(run, overwrite=True, audit="2")
    assert set(tree(run)) == {"audit.json", "manifest.json", "report.html"}
    assert (run / "audit.json").read_text() == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


IMPOSSIBLE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a name too long": (lambda here: here / ("x" * 300), "File name too long"),
    "a path too long": (lambda here: here.joinpath(*["y" * 200] * 30), "File name too long"),
    "in /proc": (lambda here: Path("/proc/run"), "No such file or directory"),
    "in a file": (lambda here: here / "file" / "run", "Not a directory"),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_an_impossible_folder_is_refused_before_the_work(tmp_path: Path, what: str) -> None:
    (tmp_path / "file").write_text("")
    place, reason = IMPOSSIBLE[what]
    out = place(tmp_path)
    with pytest.raises(CannotWrite) as error, claimed(out, False):
        raise AssertionError("the work began")
    assert str(error.value) == f"{out} cannot be written: {reason}"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_and_a_link_to_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, what in (("file", "a file"), ("loop", "a link that leads nowhere")):
        assert refused(tmp_path / name) == (
            f"{tmp_path / name} is {what}: expected a folder for the run, choose another --out"
        )
    assert (tmp_path / "file").read_text() == "x"


def test_the_root_is_refused() -> None:
    assert "which no run of FaultLens lists as its own: nothing is replaced" in refused(Path("/"))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="takes another user's part")
def test_folders_of_somebody_else_are_refused(tmp_path: Path) -> None:
    """Another user: an unwritable parent, an unreadable run, and a folder of one's own within."""
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == 0 and path != Path("/") and not path.stat().st_mode & 0o001:
            path.chmod(path.stat().st_mode | 0o011)
    write(tmp_path / "run")
    (tmp_path / "own").mkdir()
    shutil.chown(tmp_path / "own", NOBODY)
    (tmp_path / "run").chmod(0o700)
    os.seteuid(NOBODY)
    try:
        new = refused(tmp_path / "new")
        there = refused(tmp_path / "run")
        write(tmp_path / "own")
        write(tmp_path / "own", overwrite=True, audit="2")
    finally:
        os.seteuid(0)
    assert new == f"{tmp_path / 'new'} cannot be written: Permission denied"
    assert there == f"{tmp_path / 'run'} cannot be written: Permission denied"
    assert (tmp_path / "own" / "audit.json").read_text() == "2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own", "run"]


def test_no_room_at_the_end_says_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    run = tmp_path / "run"

    def run_out_of_room(kept: bool) -> None:
        with claimed(run, False) as claim, monkeypatch.context() as patch:
            if kept:
                (claim.work / "outcomes.json").write_text("{}")
            patch.setattr(os, "fsync", full)
            fill(claim, audit="1")

    for kept in (False, True):
        with pytest.raises(CannotWrite) as error:
            run_out_of_room(kept)
        more = "; what was finished is kept, and the same command goes on from there"
        assert str(error.value) == (
            f"{run} cannot be written: No space left on device{more if kept else ''}"
        )
    assert set(tree(tmp_path)) == {".run.unfinished/outcomes.json"}


def test_no_room_at_the_beginning_is_said_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int, note: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(CannotWrite, match="run cannot be written: No space left on device"):
        with claimed(tmp_path / "run", False):
            raise AssertionError("the work began")
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_claim import claimed, fill
own, calls = os.replace, 0
def replace(source, target):
    global calls
    if calls == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    calls += 1
    own(source, target)
with claimed(Path(sys.argv[1]), True) as claim:
    os.replace = replace
    fill(claim, audit="new", tables__levels="new")
"""


@pytest.mark.parametrize("moment", range(3))
def test_killed_while_it_is_put_in_place_one_run_is_whole(tmp_path: Path, moment: int) -> None:
    """The manifest moved, the old run aside, the new one in: killed before each of these."""
    run = tmp_path / "run"
    write(run)
    old = tree(run)
    code = KILLED.format(tests=str(Path(__file__).parent))
    done = subprocess.run([sys.executable, "-c", code, run, str(moment)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert "holds a run already" in refused(run, overwrite=False)
    assert tree(run) == old
    write(run, overwrite=True, audit="3")
    assert (run / "audit.json").read_text() == "3"
    assert [path.name for path in tmp_path.iterdir()] == ["run"], "nothing half-written"


def test_a_dead_process_leaves_what_can_be_gone_on_from(tmp_path: Path) -> None:
    work = tmp_path / ".run.unfinished"
    (work / f"{claims.OURS}{'0' * 16}" / "tables").mkdir(parents=True)
    (work / "outcomes.json").write_text("{}")
    with claimed(tmp_path / "run", False) as claim:
        assert sorted(path.name for path in claim.work.iterdir()) == ["lock", "outcomes.json"]
