"""Command lines that cannot be understood: one sentence each, in full, and exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from faultlens.cli.main import app, main
from faultlens.cli.values import Form, as_typed, metavar, parse
from faultlens.errors import UserError

COMMANDS = [name for name in app if not name.startswith("-")]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("profil x", "unknown command 'profil': did you mean profile?"),
        (
            "zzz",
            "unknown command 'zzz': expected one of demo, profile, audit, outcomes, read, tokens, "
            "doctor, train, convert, bench, report, reproduce, compare, explore",
        ),
        ("profile", "CORPUS is missing: faultlens profile --help lists what there is"),
        ("read x", "--out is missing: faultlens read --help lists what there is"),
        ("tokens x", "--feature is missing: faultlens tokens --help lists what there is"),
        ("profile x --poling max", "unknown option --poling: did you mean --pooling?"),
        ("profile x --poling=max", "unknown option --poling: did you mean --pooling?"),
        (
            "profile x --qqqqq",
            "unknown option --qqqqq: faultlens profile --help lists what there is",
        ),
        (
            "audit ioi --tried 3",
            "unknown option --tried: faultlens audit --help lists what there is",
        ),
        ("profile x --seed", "--seed needs a value: faultlens profile --help lists what there is"),
        (
            "profile x --out --json",
            "--out needs a value: faultlens profile --help lists what there is",
        ),
        ("profile x --seed 1 --seed 2", "--seed is given twice: give it once"),
        (
            "profile x y",
            "nothing is expected where 'y' stands: faultlens profile --help lists what there is",
        ),
        (
            "profile x --json=3",
            "--json takes no value: faultlens profile --help lists what there is",
        ),
        ("profile x --seed one", "--seed 'one': expected a whole number"),
        ("profile x --seed ²", "--seed '²': expected a whole number"),
        (f"profile x --seed {'9' * 5000}", f"--seed '{'9' * 5000}': expected a whole number"),
        ("profile x --threshold much", "--threshold 'much': expected a number"),
        ("profile x --threshold -1", "the threshold is -1.0: expected a finite number >= 0"),
        (
            "profile x --dtype int8",
            "--dtype 'int8': expected one of auto, float32, bfloat16, float16",
        ),
        ("profile x --out=", "--out '': expected a path"),
        ("audit ioi -n -5", "-n -5: expected a whole number of at least 1"),
        ("audit ioi --seeds 1", "seeds [1]: expected two or more, all different"),
        ("audit ioi --alpha 2", "alpha 2.0: expected a number between 0 and 1, e.g. 0.05"),
        ("profile x --permutations 98", "permutations 98: expected a whole number of at least 99"),
        (
            "profile x --layers ²",
            "--layers '²': expected a list (2,3), a range (2-5) or all",
        ),
        (
            "profile x --layers 1-999999999",
            "--layers '1-999999999' is 999,999,999 numbers: expected at most 10,000",
        ),
    ],
)
def test_one_sentence_and_exit_code_two(
    command: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["faultlens", *command.split(" ")])
    with pytest.raises(SystemExit) as leave:
        main()
    captured = capsys.readouterr()
    assert (leave.value.code, captured.out) == (2, "")
    assert captured.err == f"faultlens: {message}\n"


def test_a_text_that_begins_with_a_dash_is_given_after_two(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["faultlens", "tokens", "--feature", "3/1", "--no-fit-check"]
    monkeypatch.setattr(sys, "argv", [*asked, "- item"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err == (
        "faultlens: '- item' is taken for an option: put -- before what begins with -\n"
    )
    monkeypatch.setattr(sys, "argv", [*asked, "--", "- item"])
    with pytest.raises(SystemExit) as leave:
        main()
    assert leave.value.code == 0
    assert capsys.readouterr().out.startswith("3-res-mini/1 in 2 tokens")


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (int, "+7", 7),
        (float | None, "1e-3", 1e-3),
        (str | None, "a,b", "a,b"),
        (Path | None, "a/b", Path("a/b")),
        (tuple[str, ...], "a, b", ("a", "b")),
        (tuple[int, ...], "1,4-6", (1, 4, 5, 6)),
        (tuple[int, ...] | None, "all", None),
        (tuple[int, ...] | None, "3", (3,)),
        (Literal["a", "b"], "b", "b"),
        (bool, True, True),
        (Mapping[str, Path], ["a=x=y.npy", "b=z"], {"a": Path("x=y.npy"), "b": Path("z")}),
    ],
)
def test_a_value_is_read_by_its_fields_type(annotation: Any, text: Any, value: Any) -> None:
    assert parse("--option", annotation, text) == value


@pytest.mark.parametrize("value", [7, 0.25, "a", Path("a/b"), ("a", "b"), (1, 4, 5)])
def test_what_is_recorded_can_be_typed_again(value: Any) -> None:
    annotation = {tuple: tuple[type(value[0]), ...] if isinstance(value, tuple) else None}.get(
        type(value), type(value) if not isinstance(value, Path) else Path
    )
    assert parse("--option", annotation, as_typed(value)) == value


def test_files_by_name_are_each_named_once() -> None:
    annotation = Annotated[Mapping[str, Path], Form("SITE=FILE", "6-x=a.npy")]
    assert metavar(annotation) == "SITE=FILE"
    for pairs, message in (
        (["a.npy"], "--features 'a.npy': expected SITE=FILE, e.g. 6-x=a.npy"),
        (["=a.npy"], "--features '=a.npy': expected SITE=FILE, e.g. 6-x=a.npy"),
        (["a="], "--features 'a=': expected SITE=FILE, e.g. 6-x=a.npy"),
        (["a/b=c"], "--features 'a/b=c': expected SITE=FILE, e.g. 6-x=a.npy"),
        (["a=b", "a=c"], "--features 'a=c': a is given twice"),
    ):
        with pytest.raises(UserError) as told:
            parse("--features", annotation, pairs)
        assert str(told.value) == message
