"""`faultlens compare`: the command, its page, its JSON, and its mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import run_samples

from faultlens.comparing.result import Comparison

Run = Callable[..., tuple[int, str, str]]


def test_runs_are_compared_in_terminal_page_and_json(run: Run, tmp_path: Path) -> None:
    folders = [
        run_samples.write(tmp_path / name, run_samples.audit([good] * 5 + [True] * 5))
        for name, good in (("a", False), ("b", True), ("c", False))
    ]
    page = tmp_path / "compared.html"
    code, out, err = run("compare", *folders, "--out", page)
    assert (code, err) == (0, "")
    assert out.startswith("What changed from a to b?\n  What changed: of the 10 prompts that both")
    assert "\nWhat changed from a to c?\n" in out
    assert "p 0.0625, 0.125 after Holm over 2 runs)" in " ".join(out.split())
    assert out.endswith(f"\n\nThe page: {page}\n")
    assert "What changed from a to c?" in page.read_text(encoding="utf-8")
    code, out, _ = run("compare", *folders[:2], "--json")
    assert code == 0
    assert Comparison.from_dict(json.loads(out)).pairs[0].second == str(folders[1])


def test_a_run_without_a_model_says_why_directions_are_not_compared(
    run: Run, tmp_path: Path
) -> None:
    sites = {"4-res": run_samples.site(run_samples.reading("4-res/1"))}
    for name in ("a", "b"):
        audit = run_samples.audit([False] * 5 + [True] * 5, sites)
        run_samples.write(tmp_path / name, audit, digests={"4-res": name}, model="nowhere/at-all")
    code, out, _ = run("compare", tmp_path / "a", tmp_path / "b", "--json")
    assert code == 0
    reason = json.loads(out)["pairs"][0]["audits"]["no_directions"]
    assert reason.startswith(f"the dictionaries of {tmp_path / 'a'} cannot be loaded: ")
    code, out, _ = run("compare", tmp_path / "a", tmp_path / "b", "--json", "--no-directions")
    assert json.loads(out)["pairs"][0]["audits"]["no_directions"] == "not asked for"


def test_mistakes_are_one_sentence(run: Run, tmp_path: Path) -> None:
    folder = run_samples.write(tmp_path / "a", run_samples.audit([False] * 5 + [True] * 5))
    other = run_samples.write(tmp_path / "b", run_samples.audit([False] * 5 + [True] * 5))
    cases = {
        ("compare",): "RUNS is missing: faultlens compare --help lists what there is",
        ("compare", folder): "nothing to compare: expected two run folders or more",
        ("compare", folder, tmp_path / "none"): f"{tmp_path / 'none'} holds neither profile.json "
        "nor audit.json: expected the folder of a run",
        ("compare", folder, other, "--out", "x.pdf"): "--out x.pdf: expected a page, e.g. "
        "compared.html",
    }
    for arguments, expected in cases.items():
        assert run(*arguments) == (2, "", f"faultlens: {expected}\n")
    path = other / "audit.json"
    path.write_text(path.read_text().replace('"n": 10', '"n": 11'))
    code, _, err = run("compare", folder, other)
    assert (code, err) == (2, f"faultlens: {path} is not the file that the run wrote (its hash is "
                           "not that of the manifest): restore it, or run it again\n")  # fmt: skip
