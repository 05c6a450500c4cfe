"""What the explorer's tests look at: a real run, and a small store."""

from __future__ import annotations

from pathlib import Path

import pytest
from serving import client_of
from starlette.testclient import TestClient

import faultlens as fl
from faultlens.cli.lens_of_run import open_lens_of_run
from faultlens.errors import UserError
from faultlens.explorer.source import Source, open_source
from faultlens.features.dataset.writing import write_dataset

TEXTS = [
    "Mary gave the keys to Tom.",
    "The landlord took the keys <b>and</b> left.",
    "def f(x): return x + 1",
] * 3


def no_texts(digest: str) -> list[str]:
    raise UserError("name the corpus that it is of with --corpus")


@pytest.fixture(scope="session")
def run_source(mini_runs: dict[int, Path]) -> Source:
    folder = mini_runs[3]
    return open_source(folder, lambda manifest: open_lens_of_run(folder, manifest), no_texts)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of nine texts through one dictionary of `mini`."""
    folder = tmp_path_factory.mktemp("stores") / "store"
    write_dataset(fl.load("mini", layers=[3]).unchecked(), TEXTS, folder)
    return folder


@pytest.fixture(scope="session")
def store_source(store: Path) -> Source:
    lens = fl.load("mini", layers=[3]).unchecked()
    return open_source(store, lambda manifest: lens, lambda digest: TEXTS)


@pytest.fixture(scope="session")
def run_client(run_source: Source) -> TestClient:
    return client_of(run_source)


@pytest.fixture(scope="session")
def store_client(store_source: Source) -> TestClient:
    return client_of(store_source)
