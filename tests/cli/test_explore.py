"""`faultlens explore`: what it says before it serves, and its mistakes."""

from __future__ import annotations

import socket
from collections.abc import Callable
from importlib import util
from pathlib import Path

import pytest

from faultlens.explorer.server import Listening

Run = Callable[..., tuple[int, str, str]]


def test_the_address_is_said_and_ctrl_c_ends_it(
    run: Run, mini_runs: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(listening: Listening) -> None:
        host, port = listening.taken.getsockname()
        listening.taken.close()
        assert host == "127.0.0.1" and str(port) in listening.address
        raise KeyboardInterrupt

    monkeypatch.setattr(Listening, "run", stopped)
    code, out, err = run("explore", mini_runs[3], "--port", "0")
    assert (code, err) == (0, "")
    first, second = out.splitlines()
    assert first.startswith(f"Exploring {mini_runs[3]} at http://127.0.0.1:")
    assert len(first.rpartition("?token=")[2]) == 43
    assert second == "Ctrl-C ends it; nothing is written."


def test_mistakes_are_one_sentence(
    run: Run, mini_runs: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("explore", "nowhere") == (
        2, "", "faultlens: no folder nowhere: expected the folder of a run or of a store\n"
    )  # fmt: skip
    code, _, err = run("explore", mini_runs[3], "--port", "70000")
    assert (code, err) == (2, "faultlens: --port 70000: expected a whole number from 0 to 65535\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        code, _, err = run("explore", mini_runs[3], "--port", port)
    assert (code, err) == (2, f"faultlens: port {port} cannot be had (address already in use): "
                           "choose another with --port, or 0 for any\n")  # fmt: skip
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    code, _, err = run("explore", mini_runs[3])
    assert (code, err) == (2, "faultlens: faultlens explore needs starlette, uvicorn, duckdb: "
                           "pip install 'faultlens[explore]'\n")  # fmt: skip
