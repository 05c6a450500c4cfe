"""Finished stages are read back, exactly; anything else is made anew."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

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
    first = Checkpoint.beside(tmp_path / "run", {"seed": 0})
    assert first.once("stage", Found, lambda: FOUND) == FOUND
    again = Checkpoint.beside(tmp_path / "run", {"seed": 0})
    assert again.stages == ["stage"]
    assert again.once("stage", Found, never) == FOUND


def test_stages_of_another_key_are_thrown_away(tmp_path: Path) -> None:
    Checkpoint.beside(tmp_path / "run", {"seed": 0}).once("stage", Found, lambda: FOUND)
    other = Checkpoint.beside(tmp_path / "run", {"seed": 1})
    assert other.stages == []
    assert other.once("stage", Found, lambda: Found(4)) == Found(4)


def test_a_damaged_stage_is_made_again(tmp_path: Path) -> None:
    kept = Checkpoint.beside(tmp_path / "run", {})
    kept.once("stage", Found, lambda: FOUND)
    assert kept.folder is not None
    (kept.folder / "stage.json").write_text('{"n": 3, "par', encoding="utf-8")
    assert kept.once("stage", Found, lambda: Found(5)) == Found(5)
    (kept.folder / "stage.json").write_text('{"m": 3}', encoding="utf-8")
    assert kept.once("stage", Found, lambda: Found(6)) == Found(6)


def test_parts_are_kept_apart_and_all_is_forgotten(tmp_path: Path) -> None:
    kept = Checkpoint.beside(tmp_path / "run", {})
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
