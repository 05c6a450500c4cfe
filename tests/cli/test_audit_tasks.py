"""Several tasks in one command: a run each as if alone, an index, and only what is left is made."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import pytest
from elsewhere import Elsewhere

from faultlens.auditing import over_tasks
from faultlens.auditing.spread_stages import StageJob
from faultlens.cli import audit_tasks
from faultlens.cli.main import app, main
from faultlens.runs.files import file_digest
from faultlens.scale.config import SpreadConfig

Run = Callable[..., tuple[int, str, str]]
TASKS = ("mini-ioi", "agreement")
QUICK = [
    "-n", "20", "--layers", "3", "--no-fit-check", "--no-baselines", "--permutations", "99",
    "--test-classes", "1", "--test-attributed", "0",
]  # fmt: skip
TOLD = ("manifest.json", "report.html")  # they say when


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of two tasks."""
    out = tmp_path_factory.mktemp("several") / "runs"
    said = io.StringIO()
    with redirect_stdout(said):
        app(["audit", *TASKS, *QUICK, "--out", str(out)], result_action="return_value")
    assert said.getvalue().startswith("What goes with failure in mini-ioi, agreement?\n")
    assert said.getvalue().endswith(f"The index: {out / 'audits.html'}\n")
    return out


def files(folder: Path) -> dict[str, str]:
    """Every file but those that say when they were made, with its hash."""
    return {
        path.relative_to(folder).as_posix(): file_digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in TOLD
    }


def audited(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tasks that are audited from now on."""
    names: list[str] = []
    whole = over_tasks.OneLens._audited

    def noted(self: over_tasks.OneLens, *given: object) -> over_tasks.TaskAudit:
        done = whole(self, *given)  # type: ignore[arg-type]
        names.append(done.name)
        return done

    monkeypatch.setattr(over_tasks.OneLens, "_audited", noted)
    return names


def with_workers(monkeypatch: pytest.MonkeyPatch) -> list[StageJob]:
    """Two workers stand for a cluster; the stages of one audit that they are given from now on."""
    workers = Elsewhere()

    @contextmanager
    def opened(self: SpreadConfig, threads: int, device: str) -> Iterator[Elsewhere]:
        assert (self.ray, threads, device) == ("auto", 1, "cpu")
        yield workers

    monkeypatch.setattr(SpreadConfig, "opened", opened)
    monkeypatch.setattr("torch.set_num_threads", lambda count: None)
    return workers.given


def test_each_run_is_that_of_its_task_alone(several: Path, run: Run, tmp_path: Path) -> None:
    """By the command that its manifest gives."""
    manifest = json.loads((several / "agreement" / "manifest.json").read_text())
    _, *command = manifest["command"]
    assert command[:2] == ["audit", "agreement"] and "mini-ioi" not in command
    command[command.index(str(several / "agreement"))] = str(tmp_path / "alone")
    assert run(*command)[0] == 0
    assert files(tmp_path / "alone") == files(several / "agreement")
    alone = json.loads((tmp_path / "alone" / "manifest.json").read_text())
    for key in ("arguments", "inputs", "conventions", "versions"):
        assert alone[key] | {"out": ""} == manifest[key] | {"out": ""}, key


def test_the_index_names_each_with_its_finding(several: Path) -> None:
    index = json.loads((several / "audits.json").read_text())
    assert [one["task"] for one in index["tasks"]] == list(TASKS)
    for one in index["tasks"]:
        audit = json.loads((several / one["run"] / "audit.json").read_text())
        assert (one["n"], one["failures"]) == (20, audit["failures"])
        assert one["verdict"] and one["sentence"] in json.dumps(audit, ensure_ascii=False)
    page = (several / "audits.html").read_text()
    for task in TASKS:
        assert f'<a href="{task}/report.html">{task}</a>' in page
    assert not [path for path in several.iterdir() if path.name.startswith(".")]


def test_a_driver_that_is_killed_goes_on_with_the_tasks_that_are_left(
    several: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, write_run = tmp_path / "runs", audit_tasks.write_run

    def killed(claim: object, manifest: object, found: object) -> None:
        if (out / "mini-ioi").exists():
            raise KeyboardInterrupt
        write_run(claim, manifest, found)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(audit_tasks, "write_run", killed)
        assert run("audit", *TASKS, *QUICK, "--out", out)[0] == 130
    index = json.loads((out / "audits.json").read_text())
    assert [one["task"] for one in index["tasks"]] == ["mini-ioi"]
    assert (out / ".agreement.unfinished" / "outcomes.json").exists(), "stages are kept"
    written = (out / "mini-ioi" / "manifest.json").read_bytes()
    names = audited(monkeypatch)
    assert run("audit", *TASKS, *QUICK, "--out", out)[0] == 0
    assert names == ["agreement"]
    assert (out / "mini-ioi" / "manifest.json").read_bytes() == written
    assert files(out) == files(several)
    assert sorted(path.name for path in out.iterdir()) == [
        "agreement", "audits.html", "audits.json", "mini-ioi",
    ]  # fmt: skip


def test_workers_write_the_same_and_a_tasks_own_mistake_stops_no_other(
    several: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`mini` has no chat template, which over-refusal needs."""
    with_workers(monkeypatch)
    out = tmp_path / "runs"
    code, said, complained = run(
        "audit", "over-refusal", *TASKS, *QUICK, "--ray", "auto", "--out", out
    )
    why = "model mini has no chat template, and these prompts are conversations: give a chat model"
    assert code == 2
    assert complained.splitlines()[-1] == (
        f"faultlens: 1 of 3 tasks could not be audited (over-refusal: {why})"
    )
    assert re.search(r"over-refusal +not audited\n", said)
    for task in TASKS:
        assert files(out / task) == files(several / task)
    assert [one["refused"] for one in json.loads((out / "audits.json").read_text())["tasks"]] == [
        why, None, None,
    ]  # fmt: skip
    assert not (out / "over-refusal").exists()


def test_one_task_is_spread_by_its_stages(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["-n", "30", "--layers", "3", "--no-fit-check", "--folds", "study", "--permutations",
             "99", "--test-classes", "0", "--test-attributed", "0"]  # fmt: skip
    assert run("audit", "agreement", *asked, "--out", tmp_path / "alone")[0] == 0
    jobs = with_workers(monkeypatch)
    spread = ["--ray", "auto", "--out", tmp_path / "many"]
    assert run("audit", "agreement", *asked, *spread)[0] == 0
    assert files(tmp_path / "many") == files(tmp_path / "alone")
    assert {"ladder-residual", "ladder-sae_all"} < {job.stage.name for job in jobs}
    arguments = json.loads((tmp_path / "many" / "manifest.json").read_text())["arguments"]
    assert "ray" not in arguments and "threads" not in arguments, "who works changes nothing"


def test_another_run_is_in_the_way_and_a_file_that_was_changed_is_written_anew(
    several: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Path(shutil.copytree(several, tmp_path / "runs"))
    code, _, said = run("audit", *TASKS, *QUICK, "--seed", "1", "--out", out)
    holds = f"{out}/mini-ioi holds a run already: choose another --out, or give --overwrite"
    assert (code, said) == (2, f"faultlens: {holds}\n")
    manifest = out / "agreement" / "manifest.json"
    was = manifest.read_text()
    digest = json.loads(was)["inputs"]["task"]["digest"]
    for path, text in (
        (manifest, was.replace(digest, "0" * len(digest))),  # of other prompts
        (out / "agreement" / "audit.json", "{}"),
    ):
        path.write_text(text)
        code, _, said = run("audit", *TASKS, *QUICK, "--out", out)
        assert (code, said.splitlines()[-1]) == (
            2, f"faultlens: {holds.replace('mini-ioi', 'agreement')}",
        )  # fmt: skip
        manifest.write_text(was)
    names = audited(monkeypatch)
    assert run("audit", *TASKS, *QUICK, "--out", out, "--overwrite")[0] == 0
    assert names == ["agreement"] and files(out) == files(several)


def test_a_page_that_is_gone_is_built_again_without_auditing(
    several: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index leads to it."""
    out = Path(shutil.copytree(several, tmp_path / "runs"))
    page = out / "agreement" / "report.html"
    page.unlink()
    names = audited(monkeypatch)
    assert run("audit", *TASKS, *QUICK, "--out", out)[0] == 0
    assert not names and "agreement" in page.read_text(encoding="utf-8")
    assert sorted(one.name for one in out.iterdir()) == [
        "agreement", "audits.html", "audits.json", "mini-ioi",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "ioi agreement -n 20",
            "several tasks are written to a run folder each: give --out FOLDER, in which they lie",
        ),
        (
            "ioi agreement ioi --out new",
            "ioi and ioi would both be written to new/ioi: name each task once, and files by "
            "different names",
        ),
        (
            "IOI.jsonl ioi --out new",
            "IOI.jsonl and ioi would be written to new/IOI and new/ioi, which is one folder where "
            "case does not count: name each task once, and files by different names",
        ),
        (
            "ioi Audits.HTML.jsonl --out new",
            "Audits.HTML.jsonl would be written to new/Audits.HTML, which is no place for a run: "
            "give the file another name",
        ),
        (
            "ioi audits.html.jsonl --out new",
            "audits.html.jsonl would be written to new/audits.html, which is no place for a run: "
            "give the file another name",
        ),
        (
            "ioi agreement --out run",
            "run holds a run: expected a folder in which the runs of several tasks lie, choose "
            "another --out",
        ),
        (
            "ioi agreement --out site",
            "site holds audits.html, and no audits.json says that FaultLens wrote it: choose "
            "another --out",
        ),
        ("ioi agreement --out run/manifest.json",
         "run/manifest.json is a file: expected a folder for the runs, choose another --out"),
        (
            "ioi agreement --out other",
            "other/audits.json: it says no format_version, and this version of FaultLens reads "
            "format 1: run the study again; or choose another --out",
        ),
        (
            "ioi --outcomes x.jsonl",
            "expected a task to run (ioi, mini-ioi, or a JSONL file) or --outcomes FILE, not both "
            "and not neither",
        ),
        (
            "--outcomes x.jsonl --ray auto",
            "--ray spreads the audit of a task that is run: it goes with a task",
        ),
    ],
)  # fmt: skip
def test_one_sentence_and_exit_code_two(
    arguments: str,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("run/manifest.json", "site/audits.html", "other/audits.json"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("{}")
    prompt = {"prompt": "Ann gave it to", "target": "Tom", "foil": "Bob"}
    for name in ("audits.html.jsonl", "Audits.HTML.jsonl", "IOI.jsonl"):
        (tmp_path / name).write_text(json.dumps(prompt))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["faultlens", "audit", *arguments.split()])
    with pytest.raises(SystemExit) as leave:
        main()
    said = capsys.readouterr().err.splitlines()[-1]
    assert (leave.value.code, said) == (2, f"faultlens: {message}")
    assert not (tmp_path / "new").exists(), "nothing is half written"
