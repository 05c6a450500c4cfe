"""The system's browser for the tests of pages: offline, or the reason why there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")


@contextmanager
def started_browser() -> Iterator[Any]:
    """Chromium under Playwright; in CI its absence is a failure, elsewhere the test is skipped."""
    if CHROMIUM is None:
        reason = "no chromium on the path: install it to run the report in a browser"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-background-networking"],
        )
        yield started
        started.close()
