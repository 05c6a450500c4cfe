"""What the explorer's tests look at: a real run, and a small store."""

from __future__ import annotations

from pathlib import Path

import pytest
from serving import TEXTS, client_of
from starlette.testclient import TestClient

import faultlens as fl
from faultlens.cli.lens_of_run import open_lens_of_run
from faultlens.errors import UserError
from faultlens.explorer.source import Source, open_source


def no_texts(digest: str) -> list[str]:
    raise UserError("name the corpus that it is of with --corpus")


@pytest.fixture(scope="session")
def run_source(mini_runs: dict[int, Path]) -> Source:
    folder = mini_runs[3]
    return open_source(folder, lambda manifest: open_lens_of_run(folder, manifest), no_texts)


@pytest.fixture(scope="session")
def store_source(mini_store: Path) -> Source:
    lens = fl.load("mini", layers=[3]).unchecked()
    return open_source(mini_store, lambda manifest: lens, lambda digest: TEXTS)


@pytest.fixture(scope="session")
def run_client(run_source: Source) -> TestClient:
    return client_of(run_source)


@pytest.fixture(scope="session")
def store_client(store_source: Source) -> TestClient:
    return client_of(store_source)
