"""What every test of the command line calls it by."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cli import calling

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code, standard output and standard error of `faultlens …`."""

    def called(*arguments: object) -> tuple[int, str, str]:
        return calling.run(capsys, *arguments)

    return called
