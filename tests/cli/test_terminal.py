"""Whatever files hold, the terminal shows it and is not steered by it; output may go nowhere."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from faultlens.cli.stages import Lines
from faultlens.cli.visible import visible, visible_json
from faultlens.mini import SAES
from tests.cli.calling import run

ESCAPE = "\x1b]0;pwned\x07\x1b[2J\x9b31m"
DIRECTION = "\u202eevil\u2066\u200f\u061c"
HOSTILE = f"{ESCAPE}{DIRECTION}\r\x7f"
SHOWN = "␛]0;pwned␇␛[2J⟨U+009B⟩31m⟨U+202E⟩evil⟨U+2066⟩⟨U+200F⟩⟨U+061C⟩␍␡"
HARMLESS = "naïve Ünïcode שלום مرحبا क्षि 👩\u200d👩\u200d👧 می\u200cخواهم e\u0301 ٣ \u0600١٢"


def test_what_cannot_be_seen_is_shown() -> None:
    assert visible(HOSTILE) == SHOWN
    assert visible(HARMLESS) == HARMLESS, "letters of every script, joiners, combining marks"
    assert visible("a\nb\tc\0") == "a␊b␉c␀"
    assert visible("\ud800\udc80") == "⟨U+D800⟩⟨U+DC80⟩"
    assert visible("\u2028\ufeff\U000e0041") == "⟨U+2028⟩⟨U+FEFF⟩⟨U+E0041⟩"


def test_nothing_shown_steers_a_terminal() -> None:
    drawn = random.Random(0)
    codes = [*range(0x2100), *range(0xDC00, 0xE010), 0xFEFF, 0xE0001, 0x1D173, 0x1F600]
    for _ in range(200):
        text = "".join(chr(drawn.choice(codes)) for _ in range(40))
        out = visible(text)
        assert not dangerous(out), (text, out)
        as_json = visible_json(json.dumps({text: [text]}, ensure_ascii=False, indent=1))
        assert json.loads(as_json) == {text: [text]}
        assert not dangerous(as_json.replace("\n", ""))


def dangerous(text: str) -> list[str]:
    """The characters of a text that steer a terminal or turn a line around."""
    return [
        character
        for character in text
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(character)
        in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        or character in "\u200e\u200f\u061c"
    ]


QUICK = ("--layers", "3", "--no-fit-check")
FEW = ("--permutations", "99", "--no-baselines", "--test-classes", "0", "--test-attributed", "0")
Given = list[str | Path]


def lines(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def profile(here: Path) -> Given:
    rows = [
        {"text": f"{HOSTILE} text {i % 3} of {kind} \0", "category": f"{kind}{HOSTILE}"}
        for i in range(4)
        for kind in "AB"
    ]  # fmt: skip
    corpus = lines(here / f"c{HOSTILE}.jsonl", [*rows, {"text": "x", "category": HOSTILE}])
    return ["profile", corpus, *QUICK, "--permutations", "99", "--out", here / f"run{HOSTILE}"]


def profile_of_a_folder(here: Path) -> Given:
    for kind in "AB":
        (here / f"f{HOSTILE}" / f"{kind}{HOSTILE}").mkdir(parents=True)
        for i in range(3):
            path = here / f"f{HOSTILE}" / f"{kind}{HOSTILE}" / f"{i}{HOSTILE}.txt"
            path.write_text(f"the same {HOSTILE} of {kind}", encoding="utf-8")
    return ["profile", here / f"f{HOSTILE}", *QUICK, "--permutations", "99"]


def prompts(here: Path) -> Path:
    rows = [
        {
            "prompt": f"{a} and {b} met{HOSTILE}. {b} gave the map to", "target": a, "foil": b,
            "factors": {f"place{HOSTILE}": f"park{HOSTILE}{i % 2}"}, f"odd{HOSTILE}": 1,
        }
        for a in ("Mary", "Tom", "Anna")
        for i, b in enumerate(("Susan", "Kevin", "Lucy", "Ben"))
    ]  # fmt: skip
    return lines(here / f"task{HOSTILE}.jsonl", rows)


def audit(here: Path) -> Given:
    return ["audit", prompts(here), *QUICK, *FEW, "--out", here / f"run{HOSTILE}"]


def audit_of_outcomes(here: Path) -> Given:
    rows = [
        {
            "prompt": f"prompt {i}{HOSTILE}", "target": "a", "foil": "b",
            "generated": f"a {HOSTILE}" if i % 3 else f"{HOSTILE} no",
            "factors": {f"kind{HOSTILE}": f"level{HOSTILE}{i % 2}"},
        }
        for i in range(12)
    ]  # fmt: skip
    path = lines(here / f"out{HOSTILE}.jsonl", rows)
    return ["audit", "--outcomes", path, "--permutations", "99", "--no-baselines"]


def tokens(here: Path) -> Given:
    return ["tokens", f"Mary {HOSTILE} met", "--feature", "3/5", "--no-fit-check"]


def tokens_of_a_corpus(here: Path) -> Given:
    corpus = profile(here)[1]
    return ["tokens", "--feature", "3/5", "--corpus", corpus, "--no-fit-check"]


def sae(here: Path) -> Path:
    folder = here / f"set{HOSTILE}" / f"blocks.2.hook_resid_pre{HOSTILE}"
    shutil.copytree(SAES / "blocks.2.hook_resid_pre", folder)
    return folder.parent


def doctor(here: Path) -> Given:
    return ["doctor", "--sae", sae(here)]


def read(here: Path) -> Given:
    texts = lines(here / "t.jsonl", [{"text": f"Mary {HOSTILE} met Tom"}])
    return ["read", texts, *QUICK[2:], "--sae", sae(here), "--out", here / f"store{HOSTILE}"]


def mistakes(here: Path) -> list[Given]:
    """Of every command, hostile names and values that are refused."""
    corpus = lines(here / f"bad{HOSTILE}.jsonl", [{HOSTILE: HOSTILE, "text": "x"}])
    (here / f"store{HOSTILE}").mkdir()
    (here / f"store{HOSTILE}" / f"mine{HOSTILE}").write_text("x")
    return [
        ["profile", corpus],
        ["profile", f"no{HOSTILE}.jsonl"],
        ["profile", corpus, "--label", HOSTILE],
        ["profile", corpus, "--pooling", HOSTILE],
        ["profile", corpus, "--convention", HOSTILE],
        ["profile", corpus, "--features", f"6-{HOSTILE}=x{HOSTILE}.npy", "--pooled", "max"],
        ["profile", f"hf:{HOSTILE}"],
        ["audit", f"no{HOSTILE}"],
        ["audit", corpus],
        ["audit", "mini-ioi", "--rule", HOSTILE, *QUICK],
        ["audit", "--outcomes", corpus, "--factors", HOSTILE],
        ["audit", "mini-ioi", "--test-features", HOSTILE, *QUICK],
        ["tokens", "x", "--feature", HOSTILE],
        ["tokens", "x", "--feature", f"3-{HOSTILE}/5"],
        ["doctor", "--sae", f"no{HOSTILE}"],
        ["doctor", "--model", f"no{HOSTILE}", "--sae", "mini"],
        ["doctor", "--dtype", HOSTILE],
        ["doctor", f"--{HOSTILE}"],
        [HOSTILE],
        ["read", corpus, "--out", here / f"store{HOSTILE}"],
        ["report", here / f"store{HOSTILE}"],
        ["report", f"no{HOSTILE}"],
        ["demo", "--out", here / f"store{HOSTILE}"],
    ]


@pytest.mark.parametrize(
    "command",
    [profile, profile_of_a_folder, audit, audit_of_outcomes, tokens, tokens_of_a_corpus, doctor,
     read],
)  # fmt: skip
def test_every_command_shows_what_files_hold(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: Callable[[Path], Given]
) -> None:
    given = command(tmp_path)
    code, out, err = run(capsys, *given)
    assert code == 0, err
    assert not dangerous((out + err).replace("\n", ""))
    if command not in (audit_of_outcomes, profile, tokens):
        assert "␛]0;pwned" in out + err or "\\x1b]0;pwned" in out + err, "else nothing was tried"
    for folder in tmp_path.glob("run*"):
        code, out, err = run(capsys, "report", folder)
        assert code == 0, err
        assert not dangerous((out + err).replace("\n", "")) and "␛]0;pwned" in out
        shutil.rmtree(folder)
    code, out, err = run(capsys, *given, "--json")
    assert code == 0, err
    assert not dangerous((out + err).replace("\n", ""))
    if command is not tokens:
        assert "pwned" in json.dumps(json.loads(out))


def test_mistakes_are_shown_likewise(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for given in mistakes(tmp_path):
        code, out, err = run(capsys, *given)
        assert (code, out) == (2, ""), (given, err)
        assert not dangerous(err.replace("\n", "")), given
        assert [line for line in err.splitlines() if line.startswith("faultlens: ")], given


FAULTLENS = [sys.executable, "-m", "faultlens.cli.main"]


def few_outcomes(here: Path) -> Path:
    """What the shortest command reads: `faultlens outcomes` needs no model."""
    rows = [
        {"prompt": f"{who} met", "target": "Tom", "success": who == "Zoë", "factors": {"who": who}}
        for who in ("Zoë", "Ann")
    ]
    return lines(here / "outcomes.jsonl", rows)


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_output_that_nobody_can_take(tmp_path: Path, more: list[str]) -> None:
    """A full disk, a closed stream, a reader that leaves: a sentence, or a quiet end."""
    command = " ".join(map(repr, [*FAULTLENS, "outcomes", str(few_outcomes(tmp_path)), *more]))

    def shell(line: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, check=False, timeout=120
        )
        assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
        said = [s for s in done.stderr.splitlines() if s.startswith("faultlens: ")]
        return done.returncode, "\n".join(said)

    full = "faultlens: standard output cannot be written: No space left on device"
    assert shell(f"{command} > /dev/full") == (2, full)
    closed = "faultlens: standard output is closed: there is nowhere to print the result"
    assert shell(f"{command} >&-") == (2, closed)
    assert shell(f"{command} | true; exit ${{PIPESTATUS[0]}}") == (141, "")
    assert shell(f"{command} 2>&- >/dev/null") == (0, "")
    assert shell(f"{command} 2>/dev/full >/dev/null") == (0, "")


def test_help_and_version_into_nowhere() -> None:
    for option in ("--help", "--version"):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [*FAULTLENS, option], stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
        expected = "faultlens: standard output cannot be written: No space left on device\n"
        assert (done.returncode, done.stderr) == (2, expected)


def test_an_encoding_without_the_characters_is_no_obstacle(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [*FAULTLENS, "outcomes", few_outcomes(tmp_path)]
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert b"Zo\\xeb 1" in done.stdout
    done = subprocess.run([*command, "--json"], capture_output=True, env=environment, check=True)
    assert done.stdout.isascii()
    assert json.loads(done.stdout)["factors"] == {"who": {"Zoë": 1, "Ann": 1}}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["prof"], "unknown command 'prof': did you mean profile?"),
        (["profile"], "CORPUS is missing: faultlens profile --help lists what there is"),
        (["profile", "x", "y"], "nothing is expected where 'y' stands: faultlens profile --help "),
        (["profile", "x", "--nope"], "unknown option --nope: faultlens profile --help lists"),
        (["doctor", "--dtype", "int8"], "--dtype 'int8': expected one of auto, float32, bfloat16"),
        (["audit", "ioi", "-n", "many"], "-n 'many': expected a whole number"),
        (["report"], "RUN is missing: faultlens report --help lists what there is"),
    ],
)
def test_what_cannot_be_understood_is_one_sentence(
    capsys: pytest.CaptureFixture[str], given: list[str], said: str
) -> None:
    code, out, err = run(capsys, *given)
    assert (code, out) == (2, "")
    (sentence,) = err.splitlines()
    assert sentence.startswith(f"faultlens: {said}")


def test_a_fault_of_ours_keeps_its_traceback_and_steers_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from faultlens.report import page

    def faulty(folder: Path) -> Path:
        raise KeyError(HOSTILE)

    monkeypatch.setattr(page, "write_page", faulty)
    code, out, err = run(capsys, "report", tmp_path)
    assert (code, out) == (1, "")
    assert err.startswith("Traceback (most recent call last):") and "KeyError: " in err
    assert not dangerous(err.replace("\n", ""))


def test_a_log_has_a_line_when_a_stage_begins_and_one_every_ten_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 0.0
    shown = Lines(lambda: None, lambda: now)
    tick = shown.start(f"Reading{HOSTILE}", 1000)
    assert capsys.readouterr().err == f"Reading{SHOWN}: 0 of 1,000\n"
    for _ in range(1000):
        now += 0.033
        tick(1)
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2] for line in said] == [
        "304 of 1,000, 10 s", "608 of 1,000, 20 s", "912 of 1,000, 30 s", "1,000 of 1,000, 33 s",
    ]  # fmt: skip
    tick = shown.start("Quick", 10)
    for _ in range(10):
        tick(1)
    assert capsys.readouterr().err == "Quick: 0 of 10\n"
