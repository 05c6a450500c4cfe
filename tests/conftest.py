"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REFERENCE_DATA = "FAULTLENS_REFERENCE_DATA"


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
