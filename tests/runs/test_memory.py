"""Free memory: of the machine and of the container, whichever is less."""

from __future__ import annotations

from pathlib import Path

import pytest

from faultlens.runs import memory
from faultlens.runs.memory import free_memory


def test_what_is_free_is_read_from_the_machine_and_from_the_container(tmp_path: Path) -> None:
    info = tmp_path / "meminfo"
    info.write_text("MemTotal: 100 kB\nMemFree: 1 kB\nMemAvailable: 70 kB\n")
    assert memory._of_machine(info) == 70 * 1024
    assert memory._of_machine(tmp_path / "none") is None
    assert memory._of_group(tmp_path) is None
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("1200\n")
    assert memory._of_group(tmp_path) == 3800
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._of_group(tmp_path) is None


@pytest.mark.parametrize(
    ("machine", "group", "least"), [(7, 9, 7), (9, 7, 7), (None, 7, 7), (None, None, None)]
)
def test_the_lesser_of_both_is_free(
    machine: int | None, group: int | None, least: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_of_machine", lambda: machine)
    monkeypatch.setattr(memory, "_of_group", lambda: group)
    assert free_memory() == least
