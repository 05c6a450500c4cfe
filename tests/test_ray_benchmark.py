"""`benchmarks/ray_reading.py`: goes on where it stopped, compares the bytes, shows a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def script(imported: Callable[[Path], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmark, whose ways take seconds that are made up."""
    found = imported(BENCHMARKS / "ray_reading.py")

    def measured(way: str, corpus: Path, folder: Path, workers: int) -> dict[str, Any]:
        assert corpus.read_text(encoding="utf-8").startswith('{"text": ')
        asked.append(way)
        return {"seconds": 2.0 / (1 + ("workers" in way)), "digest": "same", "driver, MB": 300}

    asked: list[str] = []
    monkeypatch.setattr(found, "asked", asked, raising=False)
    monkeypatch.setattr(found, "measured", measured)
    return found


def test_what_is_finished_is_not_measured_again(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "ray.json"
    call = ["--tokens", "0.001,0.002", "--out", str(out)]
    clock = iter([0.0, 1.0, 1.0])
    monkeypatch.setattr(script, "time", SimpleNamespace(monotonic=lambda: next(clock, 1e9)))
    script.main(call)
    first = ["one process", "workers"]
    assert script.asked == first and not out.exists()
    monkeypatch.setattr(script, "time", SimpleNamespace(monotonic=lambda: 0.0))
    script.main([*call, "--workers", "3"])
    slow = ["one process, slow storage", "workers, slow storage"]
    assert script.asked == [*first, *first, *slow, *first], "other conditions begin anew"
    script.asked.clear()
    clock = iter([0.0, 1.0, 1.0])
    monkeypatch.setattr(script, "time", SimpleNamespace(monotonic=lambda: next(clock, 1e9)))
    script.main(call)
    monkeypatch.setattr(script, "time", SimpleNamespace(monotonic=lambda: 0.0))
    script.main(call)
    assert script.asked == [*first, *slow, *first], "each once"


def test_all_of_it_becomes_a_table(script: ModuleType, tmp_path: Path, imported: Any) -> None:
    out = tmp_path / "ray.json"
    script.main(["--tokens", "0.001,0.002", "--out", str(out), "--minutes", "-1"])
    assert script.asked == [] and not out.exists(), "the time was up"
    script.main(["--tokens", "0.001", "--out", str(out)])
    kept = script.Measurements(out, {})
    assert not kept.unfinished.exists(), "nothing is left to go on with"
    found = json.loads(out.read_text(encoding="utf-8"))
    tokens = found["by million tokens"]["0.001"]["tokens"]
    assert 1_000 <= tokens < 40_000
    lines = imported(BENCHMARKS / "performance.py").workers(found)
    assert lines[-4:] == [
        f"| one process | {tokens // 2:,} tokens/s, driver 300 MB |",
        f"| workers | {tokens:,} tokens/s, driver 300 MB |",
        f"| one process, slow storage | {tokens // 2:,} tokens/s, driver 300 MB |",
        f"| workers, slow storage | {tokens:,} tokens/s, driver 300 MB |",
    ]


def test_ways_that_differ_end_it(script: ModuleType) -> None:
    ways = {"one process": {"digest": "a"}, "statistics, workers": {"digest": "b"}}
    script.check_equal(ways)
    with pytest.raises(SystemExit, match="not the same bytes"):
        script.check_equal({**ways, "workers": {"digest": "c"}})


def test_one_process_is_measured_as_it_writes_its_store(script: ModuleType, tmp_path: Path) -> None:
    tokens = script.make_corpus(tmp_path / "texts.jsonl", 1_000)
    found = script.one("one process", tmp_path / "texts.jsonl", tmp_path / "store", 2)
    assert found["seconds"] >= 0 and found["driver, MB"] > 100 and len(found["digest"]) == 64
    assert tokens >= 1_000 and (tmp_path / "store" / "manifest.json").exists()
