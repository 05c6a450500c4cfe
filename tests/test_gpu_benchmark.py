"""`benchmarks/gpu.py` runs on any device: here on a processor, in a small shape."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of SAELens's imports
@pytest.mark.parametrize("device", ["cpu"])
def test_reading_is_measured_within_its_time(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu

    out = tmp_path / "gpu.json"
    gpu.main(["reading", "--device", device, "--small", "--out", str(out)])
    found = json.loads(out.read_text())["reading"]
    assert found["machine"]["device"] == device
    for name in ("float32", "bfloat16"):
        assert 1 <= found[name]["texts"] <= 8
        assert found[name]["largest difference, relative"] < gpu.CLOSE[name]
        assert all(of > 0 for of in found[name]["tokens a second"].values())
    sys.modules.pop("gpu")


@pytest.mark.parametrize("device", ["cpu"])
def test_a_whole_audit_is_measured_within_its_time(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32; in bfloat16 there is no time left."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu

    out = tmp_path / "gpu.json"
    gpu.main(["audit", "--device", device, "--small", "--minutes", "0", "--out", str(out)])
    found = json.loads(out.read_text())["audit"]
    assert found["machine"]["device"] == device
    assert found["float32"]["seconds"] > 0 and 5 < found["float32"]["failures"] < 40
    assert found["bfloat16"]["not run"].startswith("the audit before took ")
    sys.modules.pop("gpu")


def test_as_many_texts_are_read_as_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu
    import torch

    clock = [0.0]

    def takes(some: list[str]) -> None:
        clock[0] += 0.01 * len(some)

    monkeypatch.setattr(gpu, "waited", lambda device: clock[0])
    texts, device = ["x"] * 1_000, torch.device("cpu")
    assert gpu.that_fit(takes, texts, 5.0, device) == 500
    assert gpu.that_fit(takes, texts, 50.0, device) == 1_000
    assert gpu.that_fit(takes, texts, 0.0, device) == gpu.FEW
    sys.modules.pop("gpu")
