"""Logs that the harnesses themselves write, made once for all tests."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

import faultlens

HERE = Path(__file__).parent
MODEL = Path(faultlens.__file__).parent / "mini" / "files" / "language_model"


def made_once(factory: pytest.TempPathFactory, script: str) -> Path:
    """The folder that a script writes, in a process of its own; workers share it."""
    base = factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = root / script.removesuffix(".py"), root / f"{script}.done"
    with (root / f"{script}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            folder.mkdir()
            source = str(Path(faultlens.__file__).parent.parent)
            found = subprocess.run(
                [sys.executable, "-W", "ignore", str(HERE / script), str(MODEL), str(folder)],
                capture_output=True, text=True, check=False,
                env={**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
            assert found.returncode == 0, found.stderr[-2000:]
            done.touch()
    return folder


@pytest.fixture(scope="session")
def inspect_logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs of inspect_ai, and `reported.json`: what it says of each."""
    return made_once(tmp_path_factory, "make_inspect_logs.py")


@pytest.fixture(scope="session")
def lm_eval_logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with lm-eval's samples and results."""
    (results,) = made_once(tmp_path_factory, "make_lm_eval_logs.py").glob("*/results_*.json")
    return results.parent
