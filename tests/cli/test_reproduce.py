"""`faultlens reproduce`: a run is done again, and what differs is said."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from faultlens.cli import reproduce as command
from faultlens.cli.main import main
from faultlens.runs.files import file_digest

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def audited(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an audit of outcomes, which needs no model."""
    monkeypatch.chdir(tmp_path)
    rows = [
        {"prompt": f"{i}: {who} met", "target": "Tom", "success": bool(i % 3),
         "factors": {"who": who}}
        for i, who in enumerate(["Zoe", "Ann", "Bob"] * 12)
    ]  # fmt: skip
    Path("outcomes.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    code, _, err = run(
        "audit", "--outcomes", "outcomes.jsonl", "--no-baselines", "--out", "run", "--json"
    )
    assert code == 0, err
    return Path("run")


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is done again in this process, and not, as one test has it, in one of its own."""

    def done(arguments: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        assert arguments[:3] == [sys.executable, "-m", "faultlens.cli.main"]
        err = io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["faultlens", *arguments[3:]])
            with redirect_stdout(io.StringIO()), redirect_stderr(err):
                with pytest.raises(SystemExit) as leave:
                    main()
        return subprocess.CompletedProcess(
            arguments, int(leave.value.code or 0), stderr=err.getvalue()
        )

    monkeypatch.setattr(command, "subprocess", SimpleNamespace(run=done, DEVNULL=None, PIPE=None))


def rewritten(folder: Path, name: str, **change: Any) -> None:
    """Change a result, and its hash in the manifest with it: as another version would write it."""
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    manifest = json.loads((folder / "manifest.json").read_text())
    if name != "manifest.json":
        manifest["files"][name] = file_digest(path)
        (folder / "manifest.json").write_text(json.dumps(manifest))


def test_the_same_run_is_the_same(run: Run, audited: Path) -> None:
    before = {path: path.read_bytes() for path in audited.rglob("*") if path.is_file()}
    code, out, _ = run("reproduce", audited)
    assert (code, out.splitlines()) == (0, [
        "run, done again: the same",
        "  inputs: digests and conventions the same, numbers to 1e-06",
        "  audit.json: every value the same, numbers to 1e-06",
    ])  # fmt: skip
    assert {path: path.read_bytes() for path in audited.rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("in_this_process")
def test_numbers_that_differ_are_listed(run: Run, audited: Path) -> None:
    rewritten(audited, "audit.json", n=35)
    code, out, _ = run("reproduce", audited)
    assert code == 1
    assert "run, done again: differs" in out
    assert "  audit.json: 1 differ\n    n: 35 → 36" in out
    code, out, _ = run("reproduce", audited, "--json")
    assert code == 1
    record = json.loads(out)
    assert record["same"] is False
    assert record["differences"]["audit.json"] == [{"place": "n", "was": 35, "now": 36}]
    code, _, _ = run("reproduce", audited, "--tolerance", "0.1")
    assert code == 0, "35 and 36 differ by less than a tenth"


@pytest.mark.usefixtures("in_this_process")
def test_another_input_is_a_difference_and_another_version_is_not(run: Run, audited: Path) -> None:
    manifest = json.loads((audited / "manifest.json").read_text())
    rewritten(audited, "manifest.json", versions=manifest["versions"] | {"scipy": "1.0"})
    code, out, _ = run("reproduce", audited)
    assert code == 0
    assert "  Other than then: versions.scipy '1.0', now '" in out
    rows = Path("outcomes.jsonl").read_text()
    Path("outcomes.jsonl").write_text(rows.replace("Zoe met", "Zoe saw"))
    code, out, _ = run("reproduce", audited)
    assert code == 1
    assert "  inputs: 1 differ\n    inputs.outcomes.digest: '" in out or "inputs.task.digest" in out


@pytest.mark.usefixtures("in_this_process")
def test_mistakes_are_one_sentence(run: Run, audited: Path) -> None:
    code, _, err = run("reproduce", "nowhere")
    assert code == 2
    assert err == ("faultlens: nowhere is no run folder: expected one with a manifest.json\n")
    path = audited / "audit.json"
    path.write_text(path.read_text().replace('"n": 36', '"n": 37'))
    code, _, err = run("reproduce", audited)
    assert code == 2
    assert err.startswith("faultlens: run/audit.json is not the file that the run wrote")
    path.write_text(path.read_text().replace('"n": 37', '"n": 36'))
    Path("outcomes.jsonl").unlink()
    code, _, err = run("reproduce", audited)
    assert code == 2
    assert err.startswith("faultlens: run cannot be done again: faultlens audit --outcomes ")
    assert "outcomes.jsonl" in err and "relative paths" in err
    code, _, err = run("reproduce", audited, "--tolerance", "2")
    assert (code, err) == (
        2, "faultlens: tolerance is 2: expected a number from 0 to below 1\n"
    )  # fmt: skip
