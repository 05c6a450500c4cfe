"""Fixtures that every room's tests share."""

from __future__ import annotations

import fcntl
import gc
import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

import faultlens

REFERENCE_DATA = "FAULTLENS_REFERENCE_DATA"
LOG_MAKER = Path(__file__).parent / "corpus" / "logs" / "make_logs.py"
MODEL = Path(faultlens.__file__).parent / "mini" / "files" / "language_model"


def pytest_collection_finish() -> None:
    """Leaves what was imported out of garbage collection, which statsmodels asks for at every call.

    With all of PyTorch imported each takes half a second.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of published data that the acceptance tests read. Unset: skip, in CI fail."""
    folder = os.environ.get(REFERENCE_DATA)
    if folder and Path(folder).is_dir():
        return Path(folder)
    reason = f"{REFERENCE_DATA} is {folder!r}: set it to the folder of the reference data"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make_logs.py` fills, in a process of its own; workers share it."""
    base = tmp_path_factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = root / "logs", root / "logs.done"
    with (root / "logs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            source = str(Path(faultlens.__file__).parent.parent)
            found = subprocess.run(
                [sys.executable, "-W", "ignore", str(LOG_MAKER), str(MODEL), str(folder)],
                capture_output=True, text=True, check=False,
                env={**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
            assert found.returncode == 0, found.stderr[-2000:]
            done.touch()
    return folder


@pytest.fixture(scope="session")
def mini_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """By layer, the folder of an audit of sixty prompts through that layer of `mini`: 3 and 4.

    The prompts come without factors, and nothing is intervened on: what takes longest.
    """
    from faultlens.cli.main import app  # an import of this file must not load the command line

    root = tmp_path_factory.mktemp("mini-runs")
    prompts = [
        {"prompt": prompt.text, "target": prompt.target, "foil": prompt.foil}
        for prompt in faultlens.tasks.mini_ioi(n=60, seed=0).prompts
    ]
    task = root / "task.jsonl"
    task.write_text("".join(f"{json.dumps(one)}\n" for one in prompts), encoding="utf-8")
    found = {layer: root / f"layer-{layer}" for layer in (3, 4)}
    for layer, folder in found.items():
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            app(
                ["audit", str(task), "--layers", str(layer), "--no-fit-check", "--no-baselines",
                 "--test-classes", "0", "--test-attributed", "0", "--permutations", "199",
                 "--out", str(folder)],
                exit_on_error=False, result_action="return_value",
            )  # fmt: skip
    return found


@pytest.fixture(scope="session")
def inspect_logs(logs: Path) -> Path:
    """Logs of inspect_ai, and `reported.json`: what it says of each."""
    return logs / "inspect_ai"


@pytest.fixture(scope="session")
def lm_eval_logs(logs: Path) -> Path:
    """The folder with lm-eval's samples and results."""
    (results,) = (logs / "lm_eval").glob("*/results_*.json")
    return results.parent
