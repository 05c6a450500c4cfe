"""New files are whole or not there, and never go where a link in their way leads."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from faultlens.errors import CannotWrite
from faultlens.runs import files
from faultlens.runs.files import (
    PART,
    file_name,
    json_text,
    new_file,
    real_folder,
    remove_parts,
    write_json,
    write_text,
)


def test_a_link_in_the_files_place_is_replaced_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    (tmp_path / "report.html").symlink_to(secret)
    write_text(tmp_path / "report.html", "page")
    assert secret.read_text() == "mine"
    assert not (tmp_path / "report.html").is_symlink()
    assert (tmp_path / "report.html").read_text() == "page"


@pytest.mark.parametrize("planted", ["link", "file", "folder"])
def test_a_guessed_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: str
) -> None:
    """Even where somebody knows the random name, nothing is opened that was there before."""
    secret = tmp_path / "secret"
    secret.write_text("mine")
    monkeypatch.setattr(files.secrets, "token_hex", lambda n: "0" * 2 * n)
    part = tmp_path / f".faultlens-{'0' * 16}.part"
    assert PART.fullmatch(part.name)
    if planted == "link":
        part.symlink_to(secret)
    elif planted == "file":
        part.write_text("mine")
    else:
        part.mkdir()
    with pytest.raises(CannotWrite) as error:
        write_text(tmp_path / "report.html", "page")
    assert str(error.value) == f"{tmp_path / 'report.html'} cannot be written: File exists"
    assert secret.read_text() == "mine"
    assert not (tmp_path / "report.html").exists()
    assert os.path.lexists(part), "what was there before stays"


def test_names_are_drawn_at_random(tmp_path: Path) -> None:
    drawn = set()
    for number in range(20):
        with new_file(tmp_path / str(number)):
            (part,) = tmp_path.glob(".*")
            drawn.add(part.name)
    assert len(drawn) == 20


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_nothing_is_left_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    (tmp_path / "a.json").write_text("old")

    def full(handle: int) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotWrite) as caught:
        write_json(tmp_path / "a.json", {"a": 1})
    assert str(caught.value) == f"{tmp_path / 'a.json'} cannot be written: {os.strerror(error)}"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "old"


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with new_file(tmp_path / "a") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from faultlens.runs.files import new_file\n"
        "with new_file(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a"], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert PART.fullmatch(left.name)
    (tmp_path / ".faultlens-notes.part").write_text("mine")
    remove_parts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".faultlens-notes.part"]


def test_json_holds_what_any_reader_takes(tmp_path: Path) -> None:
    value = {"name": "a\udc80\ud800b", "é": [1.5, None]}
    write_json(tmp_path / "a.json", value)
    assert json.loads((tmp_path / "a.json").read_bytes()) == value
    for number in (float("nan"), float("inf"), -float("inf")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            json_text({"a": number})
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json(tmp_path / "a.json", [number])
    assert json.loads((tmp_path / "a.json").read_bytes()) == value


def test_half_a_character_in_a_text_is_spelt_out(tmp_path: Path) -> None:
    write_text(tmp_path / "a.html", "name \udc80")
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == "name \\udc80"


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "store").symlink_to(elsewhere)
    with pytest.raises(CannotWrite) as error:
        real_folder(tmp_path / "store")
    store = tmp_path / "store"
    assert str(error.value) == f"{store} cannot be written: {store} is a link, expected a folder"
    assert real_folder(tmp_path / "a" / "b").is_dir()


def test_every_name_becomes_one_that_a_file_can_have() -> None:
    names = ["8-res-jb", "é" * 100, "x" * 150, "x" * 151, "x" * 152, "a/b", "a_b", "a\0b", "𝒳" * 90]
    found = [file_name(name) for name in names]
    assert len(set(found)) == len(names)
    assert all(len(name.encode()) <= 150 and not {"/", "\0"} & set(name) for name in found)
    assert found[0] == "8-res-jb" and found[2] == "x" * 150
