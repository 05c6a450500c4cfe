"""Fixtures that every room's tests share."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

REFERENCE_DATA = "FAULTLENS_REFERENCE_DATA"


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
