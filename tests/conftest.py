"""Fixtures that every room's tests share."""

from __future__ import annotations

import fcntl
import gc
import importlib.util
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import faultlens

REFERENCE_DATA = "FAULTLENS_REFERENCE_DATA"
LOG_MAKER = Path(__file__).parent / "corpus" / "logs" / "make_logs.py"
MODEL = Path(faultlens.__file__).parent / "mini" / "files" / "language_model"


LONGEST = (
    "cli/test_run.py", "corpus/logs/test_inspect_log.py", "fuzz/test_fuzz.py", "mini/test_card.py",
    "auditing/interventions/test_named_features.py", "scale/test_ray.py", "report/test_browser.py",
    "cli/test_resume.py", "training/test_planted.py", "auditing/test_answers_with_model.py",
    "features/test_dataset.py", "cli/test_real_models.py", "test_tutorials.py",
    "auditing/replication/test_seeds.py", "explorer/test_browser.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that no worker is left with one when the other has finished.

    What a file makes for others is made early, too, and nobody waits for it.
    """
    place = {Path(__file__).parent / name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(LONGEST)))


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


def made_once(factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], None]) -> Path:
    """A folder that the first worker to ask for it fills, for all workers of this session."""
    base = factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = root / name, root / f"{name}.done"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            folder.mkdir()
            fill(folder)
            done.touch()
    return folder


def in_a_process(*command: str | Path, cwd: Path) -> str:
    """What this Python prints, run with `command`, one thread and the package under test."""
    source = str(Path(faultlens.__file__).parent.parent)
    found = subprocess.run(
        [sys.executable, "-W", "ignore", *map(str, command)],
        cwd=cwd, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert found.returncode == 0, found.stderr[-2000:]
    return found.stdout


@pytest.fixture(scope="session")
def imported() -> Callable[[Path], ModuleType]:
    """Imports a script that lies outside the package, from its file."""

    @cache
    def module_of(file: Path) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"script_{file.stem}", file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # where a dataclass looks for its annotations
        spec.loader.exec_module(module)
        return module

    return module_of


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make_logs.py` fills, in a process of its own."""

    def fill(folder: Path) -> None:
        in_a_process(LOG_MAKER, MODEL, folder, cwd=folder)

    return made_once(tmp_path_factory, "logs", fill)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The run folder that `faultlens demo` writes, and what it prints: not to be written to."""

    def fill(folder: Path) -> None:
        printed = in_a_process("-m", "faultlens.cli.main", "demo", cwd=folder)
        (folder / "printed.txt").write_text(printed, encoding="utf-8")

    folder = made_once(tmp_path_factory, "demo", fill)
    return folder / "runs" / "demo", (folder / "printed.txt").read_text(encoding="utf-8")


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
def mini_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of nine texts through one dictionary of `mini`."""
    from serving import TEXTS

    from faultlens.features.dataset.writing import write_dataset

    folder = tmp_path_factory.mktemp("stores") / "store"
    write_dataset(faultlens.load("mini", layers=[3]).unchecked(), TEXTS, folder)
    return folder


@pytest.fixture(scope="session")
def inspect_logs(logs: Path) -> Path:
    """Logs of inspect_ai, and `reported.json`: what it says of each."""
    return logs / "inspect_ai"


@pytest.fixture(scope="session")
def lm_eval_logs(logs: Path) -> Path:
    """The folder with lm-eval's samples and results."""
    (results,) = (logs / "lm_eval").glob("*/results_*.json")
    return results.parent
