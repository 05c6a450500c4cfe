"""The command line is the library: the same result, warnings included, and each thing done once."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import faultlens as fl
from faultlens.cli.main import main
from faultlens.features.lens import NOT_CHECKED
from faultlens.models import doctor, load, sae_folder

TEXTS = [
    ("x = 1", "code"), ("y = x + 2", "code"), ("print(x)", "code"), ("x = 1", "code"),
    ("hello there", "chat"), ("how are you", "chat"), ("see you soon", "chat"), ("2", "maths"),
]  # fmt: skip
Run = Callable[..., tuple[str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Standard output and standard error of `faultlens …`, which must succeed."""

    def called(*arguments: str | Path) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["faultlens", *map(str, arguments)])
        with pytest.raises(SystemExit) as leave:
            main()
        captured = capsys.readouterr()
        assert leave.value.code == 0, captured.err
        return captured.out, captured.err

    return called


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    rows = [{"text": text, "category": category} for text, category in TEXTS]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """Prompts of which two repeat another, with a column that nothing is made of."""
    path = tmp_path / "task.jsonl"
    rows = [
        {
            "prompt": f"{a} and {b} met at the park. {b} gave the map to", "target": a, "foil": b,
            "author": "me",
        }
        for a in ("Mary", "Tom", "Anna") for b in ("Susan", "Kevin", "Lucy", "Ben")
    ]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, [*rows, *rows[:2]])))
    return path


def said_on(error: str) -> list[str]:
    lines = error.splitlines()
    return [line.removeprefix("warning: ") for line in lines if line.startswith("warning: ")]


@pytest.mark.parametrize("fit_check", [True, False])
def test_a_profile_is_the_librarys_with_all_its_warnings(
    run: Run, corpus: Path, fit_check: bool
) -> None:
    check = [] if fit_check else ["--no-fit-check"]
    out, error = run("profile", corpus, "--layers", "3", "--permutations", "99", *check, "--json")
    expected = fl.profile(
        fl.load("mini", layers=[3]), fl.read_corpus(corpus), permutations=99, fit_check=fit_check
    )
    assert json.loads(out) == json.loads(json.dumps(expected.to_dict()))
    assert len(expected.warnings) == 2 + (not fit_check)
    assert (NOT_CHECKED in expected.warnings) is not fit_check
    assert said_on(error) == expected.warnings


@pytest.mark.parametrize("fit_check", [True, False])
def test_an_audit_is_the_librarys_with_all_its_warnings(
    run: Run, task: Path, fit_check: bool
) -> None:
    check = [] if fit_check else ["--no-fit-check"]
    quick = ["--permutations", "99", "--no-baselines", "--json"]
    out, error = run("audit", task, "--layers", "3", *quick, *check)
    expected = fl.audit(
        fl.load("mini", layers=[3]),
        fl.read_task(task),
        permutations=99,
        baselines=False,
        fit_check=fit_check,
    )
    assert json.loads(out) == json.loads(json.dumps(expected.to_dict()))
    # the column, the repeated prompts, and that the others fill one template
    assert len(expected.warnings) == 3 + (not fit_check)
    assert (NOT_CHECKED in expected.warnings) is not fit_check
    assert said_on(error) == expected.warnings


def test_an_audit_of_outcomes_is_the_librarys(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    rows = [
        {"prompt": f"prompt {i // 2}", "target": "Ann", "success": i % 3 > 0, "place": "ab"[i % 2]}
        for i in range(30)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    out, error = run(
        "audit", "--outcomes", path, "--permutations", "99", "--no-baselines", "--json"
    )
    expected = fl.audit(None, fl.read_answers(path), permutations=99, baselines=False)
    assert json.loads(out) == json.loads(json.dumps(expected.to_dict()))
    assert expected.warnings and said_on(error) == expected.warnings


@pytest.mark.parametrize(
    "command",
    [
        ["doctor"],
        ["profile", "CORPUS", "--permutations", "99"],
        ["profile", "CORPUS", "--permutations", "99", "--no-fit-check"],
        ["audit", "TASK", "--permutations", "99", "--no-baselines"],
        ["tokens", "Mary met Tom.", "--feature", "3/5"],
        ["read", "CORPUS", "--out", "STORE"],
    ],
    ids=lambda command: " ".join(command[:1]),
)
def test_a_command_loads_hashes_and_checks_each_thing_once(
    run: Run, corpus: Path, task: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[str] = Counter()

    def counted(module: Any, name: str) -> None:
        original = getattr(module, name)

        def called(*arguments: Any, **options: Any) -> Any:
            counts[name] += 1
            return original(*arguments, **options)

        monkeypatch.setattr(module, name, called)

    for module, name in (
        (load, "load_weights"),
        (load, "_digest"),
        (sae_folder, "load_file"),
        (sae_folder, "folder_digest"),
        (doctor, "sample_rows"),
    ):
        counted(module, name)
    paths = {"CORPUS": corpus, "TASK": task, "STORE": corpus.parent / "store"}
    here = [] if command[0] == "tokens" else ["--layers", "3", "--dtype", "float32"]
    run(*(paths.get(word, word) for word in command), *here)
    # With BOS and without; that the bundled pair fits is known where nothing is asked of it.
    checked = 0 if "--no-fit-check" in command or command[0] == "tokens" else 2
    assert counts == Counter(
        load_weights=1, _digest=1, load_file=1, folder_digest=1, sample_rows=checked
    )


def test_names_are_checked_before_a_model_is_loaded(
    corpus: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def loaded(*arguments: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(load, "load_model", loaded)
    for command, message in (
        (["audit", "mini-ioi", "--rule", "vibes"], "unknown outcome rule 'vibes'"),
        (["audit", "mini-ioi", "--pooling", "median"], "unknown pooling 'median'"),
        (["audit", "mini-oio"], "no task or file 'mini-oio'"),
        (["audit", "mini-ioi", "--sites", "resid_pst"], "unknown site 'resid_pst'"),
        (["audit", "mini-ioi", "--convention", "upright"], "unknown convention 'upright'"),
        (["profile", str(corpus), "--pooling", "median"], "unknown pooling 'median'"),
        (["profile", str(corpus), "--pairs", "none.jsonl"], "no file none.jsonl"),
        (["profile", "seven"], "no file seven"),
        (["tokens", "x", "--feature", "17"], "--feature '17'"),
    ):
        monkeypatch.setattr(sys, "argv", ["faultlens", *command])
        with pytest.raises(SystemExit) as leave:
            main()
        error = capsys.readouterr().err
        assert leave.value.code == 2, error
        assert error.startswith(f"faultlens: {message}"), error
