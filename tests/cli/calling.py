"""How a test calls `faultlens`: in its own process, as the installed command does."""

from __future__ import annotations

import sys

import pytest

from faultlens.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `faultlens ARGUMENTS`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["faultlens", *map(str, arguments)])
        with pytest.raises(SystemExit) as leave:
            main()
    captured = capsys.readouterr()
    return int(leave.value.code or 0), captured.out, captured.err
