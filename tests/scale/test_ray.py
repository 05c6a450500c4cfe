"""Ray: one cluster of two processors for all tests here; whoever reads, the bytes are the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import ray
from ray_jobs import (
    Beginning,
    SlowToBegin,
    cannot_begin,
    changes_in_place,
    dies_always,
    dies_once,
    hangs_once,
    lens_whose_worker_dies,
    refuses,
)

import faultlens as fl
from faultlens.auditing.spread import Spread
from faultlens.cli.main import main
from faultlens.errors import CannotWrite, UserError
from faultlens.features.dataset.reading import ActivationDataset
from faultlens.runs.files import file_digest
from faultlens.scale import crew
from faultlens.scale.config import SpreadConfig
from faultlens.scale.ray_workers import RayWorkers, ray_workers

SOURCE = str(Path(fl.__file__).parent.parent)
TEXTS = [
    f"{name} gave the {thing} to {other}{' and to Ann' * (i % 5)}."
    for i in range(8)
    for name in ("Mary", "John", "Anna", "Paul")
    for thing in ("keys", "book", "lamp", "letter")
    for other in ("Tom", "the landlord", "Alice", "her brother")
]
STORE = ["--layers", "3", "--no-fit-check", "--threads", "1"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayWorkers]:
    """Two workers of one processor each; they find the jobs in this folder."""
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = f"{SOURCE}:{Path(__file__).parent}:{before}"
    ray.init(
        num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False,
        object_store_memory=100 * 2**20, logging_level="ERROR",
    )  # fmt: skip
    os.environ["PYTHONPATH"] = before
    with ray_workers("auto", 2, 1, gpu=False) as workers:
        yield workers
    ray.shutdown()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "texts.jsonl"
    path.write_text("\n".join(json.dumps({"text": text}) for text in TEXTS))
    return path


@pytest.fixture(scope="module")
def alone(corpus: Path) -> Path:
    """A store of three shards that one process wrote."""
    folder = corpus.parent / "alone"
    read(corpus, folder)
    assert len(ActivationDataset.open(folder).plan.shards) == 3
    return folder


def read(corpus: Path, folder: Path, *options: str) -> None:
    """`faultlens read`, in this process."""
    called("read", str(corpus), *STORE, "--out", str(folder), *options)


def called(*arguments: str) -> None:
    """A command that ends well, in this process."""
    given = ["faultlens", *arguments]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", given)
        with pytest.raises(SystemExit) as leave:
            main()
    assert not leave.value.code


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): file_digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_two_workers_write_the_bytes_of_one_process(
    cluster: RayWorkers, corpus: Path, alone: Path, tmp_path: Path
) -> None:
    read(corpus, tmp_path / "many", "--ray", "auto")
    assert files(tmp_path / "many") == files(alone)


def test_a_worker_that_dies_loses_nothing(cluster: RayWorkers, tmp_path: Path) -> None:
    jobs = [(number, str(tmp_path / "died")) for number in range(20)]
    assert list(cluster.in_order(Beginning(dies_once), jobs)) == [n * n for n in range(20)]
    assert (tmp_path / "died").exists(), "no worker died"


def test_a_job_that_kills_every_worker_is_given_up(
    cluster: RayWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "DEATHS", 2)
    with pytest.raises(UserError) as given_up:
        list(cluster.results(Beginning(dies_always), range(3)))
    said = str(given_up.value)
    assert said.startswith("2 workers died of job ") and said.endswith(
        "): what was finished is kept; expected workers with enough memory (fewer --workers)"
    )


def test_a_late_job_is_given_to_another_worker(
    cluster: RayWorkers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "LEAST_LATE", 0.5)
    jobs = [(number, str(tmp_path / "hangs")) for number in range(10)]
    assert sorted(cluster.results(Beginning(hangs_once), jobs)) == list(range(10))


@pytest.mark.parametrize("alike", [True, False])
def test_what_loads_is_not_late_nor_is_a_long_job_among_short_ones(
    cluster: RayWorkers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alike: bool
) -> None:
    """Nothing is done twice, and a worker that begins keeps its jobs."""
    monkeypatch.setattr(crew, "LEAST_LATE", 0.2)
    monkeypatch.setattr(crew, "WAITED", 0.05)
    jobs = [0.01, 0.02, 0.03, 0.04 if alike else 0.8]
    begin = SlowToBegin(str(tmp_path / "noted"))
    assert sorted(cluster.results(begin, jobs, alike=alike)) == jobs
    done, by = zip(*(path.name.split("-") for path in (tmp_path / "noted").iterdir()), strict=True)
    assert sorted(map(float, done)) == jobs and len(set(by)) == 2


def test_a_worker_may_change_what_it_was_given(cluster: RayWorkers) -> None:
    """An array that Ray itself hands over is read-only, and shared with every worker."""
    shared = np.zeros(100_000)
    assert list(cluster.results(Beginning(changes_in_place), [shared] * 4)) == [100_000.0] * 4
    assert shared.sum() == 0


def test_what_a_user_did_wrong_is_the_same_sentence(cluster: RayWorkers) -> None:
    with pytest.raises(UserError, match=r"^text 2 has no tokens$"):
        list(cluster.results(Beginning(refuses), [0, 1]))
    with pytest.raises(CannotWrite, match=r"^store cannot be written: no room; the rest is kept$"):
        list(cluster.results(Beginning(refuses), [2]))
    with pytest.raises(UserError, match=r"^no model 'x'$"):
        list(cluster.results(cannot_begin, range(4)))


def test_a_driver_that_is_killed_goes_on_with_the_unfinished_shards(
    cluster: RayWorkers, corpus: Path, alone: Path, tmp_path: Path
) -> None:
    """Its workers die with it; one process then reads the other shards."""
    folder = tmp_path / "killed"
    command = [
        sys.executable, "-W", "ignore", "-m", "faultlens.cli.main", "read", corpus, *STORE,
        "--out", folder, "--ray", ray.get_runtime_context().gcs_address, "--workers", "1",
    ]  # fmt: skip
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": SOURCE}, stderr=subprocess.PIPE
    ) as driver:
        while not list(folder.glob("unfinished/0*.json")) and driver.poll() is None:
            time.sleep(0.01)
        driver.kill()
        assert driver.stderr is not None
        said = driver.stderr.read().decode()
    finished = {path: path.stat().st_mtime_ns for path in folder.glob("3-res-mini/*.parquet")}
    assert finished and not (folder / "manifest.json").exists(), said
    read(corpus, folder)
    assert files(folder) == files(alone)
    kept = [path.stat().st_mtime_ns == when for path, when in finished.items()]
    assert any(kept), "finished shards were read again"


def test_an_audits_stages_by_workers_of_which_one_dies(cluster: RayWorkers, tmp_path: Path) -> None:
    lens, task = fl.load("mini", layers=[2, 3], threads=1), fl.tasks.mini_ioi(n=40, seed=0)
    marker = tmp_path / "died"
    spread = Spread(cluster, partial(lens_whose_worker_dies, str(marker)))

    def audited(spread: Spread | None) -> dict[str, object]:
        audit = fl.audit(
            lens, task, spread=spread, fit_check=False, permutations=199, baselines=False,
            test_classes=1, test_attributed=1,
        )  # fmt: skip
        return audit.to_dict()

    many = audited(spread)
    assert marker.exists(), "no worker died"
    assert many == audited(None)


def test_tasks_audited_by_workers_are_those_of_one_process(
    cluster: RayWorkers, tmp_path: Path
) -> None:
    """From the command line: a run each, the same bytes."""
    tasks = ("mini-ioi", "agreement")
    given = ["-n", "20", *STORE, "--no-baselines", "--permutations", "99", "--test-classes", "1",
             "--test-attributed", "0"]  # fmt: skip
    called("audit", *tasks, *given, "--ray", "auto", "--out", str(tmp_path / "many"))
    called("audit", *tasks, *given, "--out", str(tmp_path / "alone"))
    told = {"manifest.json", "report.html"}  # when, and by which command
    one, other = (
        {
            name: digest
            for name, digest in files(tmp_path / who).items()
            if Path(name).name not in told
        }
        for who in ("many", "alone")
    )
    assert one == other
    assert {"audits.json", "mini-ioi/audit.json", "agreement/audit.json"} < set(one)


def test_what_the_cluster_cannot_do_is_one_sentence(cluster: RayWorkers) -> None:
    with pytest.raises(UserError) as refused, ray_workers("auto", 3, 1, gpu=False):
        pass
    assert str(refused.value) == (
        "--workers 3: the Ray cluster has room for 2, with 1 processor each"
    )
    with pytest.raises(UserError) as refused, ray_workers("auto", None, 64, gpu=False):
        pass
    assert str(refused.value) == (
        "the Ray cluster has 2 CPU, and a worker needs 64 CPU: choose fewer --threads, or a "
        "cluster that has them"
    )


def test_without_ray_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError) as missing, SpreadConfig(ray="auto").opened(None, "cpu"):
        pass
    assert str(missing.value) == (
        "--ray needs the library ray: install it with pip install 'faultlens[ray]'"
    )
    with pytest.raises(UserError, match=r"^--workers 2 needs a Ray cluster: name it with --ray$"):
        SpreadConfig(workers=2)
