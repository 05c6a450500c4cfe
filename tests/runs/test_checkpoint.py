"""Finished stages are read back, exactly; anything else is made anew."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from faultlens.errors import CannotWrite, UserError
from faultlens.runs.checkpoint import Checkpoint


@dataclass(frozen=True)
class Inner:
    share: float
    reason: str | None


@dataclass(frozen=True)
class Found:
    n: int
    parts: dict[str, Inner] = field(default_factory=dict)


FOUND = Found(3, {"a": Inner(0.1 + 0.2, None), "b": Inner(1 / 3, "why")})


def never() -> Found:
    raise AssertionError("made again")


def test_a_finished_stage_is_read_back_to_the_last_bit(tmp_path: Path) -> None:
    first = Checkpoint.kept_in(tmp_path / "work", {"seed": 0})
    assert first.once("stage", Found, lambda: FOUND) == FOUND
    again = Checkpoint.kept_in(tmp_path / "work", {"seed": 0})
    assert again.stages == ["stage"]
    assert again.once("stage", Found, never) == FOUND


def test_stages_of_another_key_are_thrown_away(tmp_path: Path) -> None:
    Checkpoint.kept_in(tmp_path / "work", {"seed": 0}).once("stage", Found, lambda: FOUND)
    other = Checkpoint.kept_in(tmp_path / "work", {"seed": 1})
    assert other.stages == []
    assert other.once("stage", Found, lambda: Found(4)) == Found(4)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "truncated": lambda whole: whole[: len(whole) // 2],
    "not UTF-8": lambda whole: b"\xff" + whole,
    "not an object": lambda whole: b"[1, 2]",
    "null": lambda whole: b"null",
    "another shape": lambda whole: b'{"n": 3}',
    "a number changed": lambda whole: whole.replace(b'"n": 3', b'"n": 4'),
    "a type changed": lambda whole: whole.replace(b'"n": 3', b'"n": "3"'),
    "a field gone": lambda whole: whole.replace(b'"n": 3,', b""),
    "NaN": lambda whole: whole.replace(b'"n": 3', b'"n": NaN'),
    "of another run": lambda whole: re.sub(b'"key": "[0-9a-f]{8}', b'"key": "01234567', whole),
    "nested too deeply": lambda whole: b"[" * 100_000,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_stage_is_made_again(tmp_path: Path, how: str) -> None:
    kept = Checkpoint.kept_in(tmp_path, {})
    kept.once("stage", Found, lambda: FOUND)
    path = tmp_path / "stage.json"
    whole = path.read_bytes()
    damaged = DAMAGE[how](whole)
    assert damaged != whole
    path.write_bytes(damaged)
    assert kept.once("stage", Found, lambda: FOUND) == FOUND
    assert path.read_bytes() == whole, "made again, and kept"
    assert kept.once("stage", Found, never) == FOUND


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_key_begins_anew(tmp_path: Path, how: str) -> None:
    key = {"n": 3, "key": "0123456789"}
    Checkpoint.kept_in(tmp_path, key).once("stage", Found, lambda: FOUND)
    path = tmp_path / "key.json"
    path.write_bytes(DAMAGE[how](path.read_bytes()))
    again = Checkpoint.kept_in(tmp_path, key)
    if how != "of another run":  # there is no such field in a key
        assert again.stages == []
    assert again.once("stage", Found, lambda: FOUND) == FOUND


def test_a_stage_without_its_key_is_not_taken_up(tmp_path: Path) -> None:
    Checkpoint.kept_in(tmp_path, {"seed": 0}).once("stage", Found, lambda: FOUND)
    stage = (tmp_path / "stage.json").read_bytes()
    other = Checkpoint.kept_in(tmp_path, {"seed": 1})
    (tmp_path / "stage.json").write_bytes(stage)
    assert other.once("stage", Found, lambda: Found(4)) == Found(4)


def test_nothing_but_stages_is_thrown_away(tmp_path: Path) -> None:
    kept = Checkpoint.kept_in(tmp_path / "work", {})
    kept.within("seed-1").once("stage", Found, lambda: FOUND)
    for mine in ("thesis.tex", "seed-1/notes.txt", ".faultlens-replaced/audit.json"):
        (tmp_path / "work" / mine).parent.mkdir(exist_ok=True)
        (tmp_path / "work" / mine).write_text("years of work")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "data.json").write_text("{}")
    (tmp_path / "work" / "linked").symlink_to(elsewhere)
    kept.forget()
    left = {p.relative_to(tmp_path / "work").as_posix() for p in (tmp_path / "work").rglob("*")}
    assert left == {
        "thesis.tex", "seed-1", "seed-1/notes.txt", ".faultlens-replaced",
        ".faultlens-replaced/audit.json", "linked",
    }  # fmt: skip
    assert (elsewhere / "data.json").exists()


def test_no_room_for_a_stage_keeps_those_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Checkpoint.kept_in(tmp_path, {})
    kept.once("first", Found, lambda: FOUND)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(CannotWrite) as error, kept.unless_refused():
            kept.once("second", Found, lambda: FOUND)
    assert str(error.value) == (
        f"{tmp_path / 'second.json'} cannot be written: No space left on device; what was finished "
        "before is kept, and the same command goes on from there"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.json", "key.json"]
    assert kept.once("first", Found, never) == FOUND


def test_a_users_mistake_throws_the_stages_away(tmp_path: Path) -> None:
    kept = Checkpoint.kept_in(tmp_path / "work", {})

    def mistaken() -> Found:
        assert kept.stages == ["first"]
        raise UserError("wrong")

    kept.once("first", Found, lambda: FOUND)
    with pytest.raises(UserError, match="wrong"), kept.unless_refused():
        kept.once("second", Found, mistaken)
    assert list(tmp_path.iterdir()) == []


def test_a_stage_of_any_name_has_a_file(tmp_path: Path) -> None:
    kept = Checkpoint.kept_in(tmp_path, {})
    for name in ("a/b", "é" * 200, "x" * 250, "x" * 251):
        kept.once(name, Found, lambda: FOUND)
        assert kept.once(name, Found, never) == FOUND
    assert len(kept.stages) == 4


def test_parts_are_kept_apart_and_all_is_forgotten(tmp_path: Path) -> None:
    kept = Checkpoint.kept_in(tmp_path / "work", {})
    kept.within("seed-1").once("stage", Found, lambda: Found(1))
    kept.within("seed-2").once("stage", Found, lambda: Found(2))
    assert kept.within("seed-1").once("stage", Found, never) == Found(1)
    assert kept.stages == []
    kept.forget()
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_nothing_is_kept() -> None:
    kept = Checkpoint()
    kept.once("stage", Found, lambda: FOUND)
    assert kept.within("part").once("stage", Found, lambda: Found(7)) == Found(7)
    assert kept.stages == []
    kept.forget()
