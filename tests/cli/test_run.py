"""Whole runs on the bundled model: what lies in the folder, and what is said."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file, save_file

from faultlens.auditing.result.audit import Audit
from faultlens.mini import SAES
from faultlens.profiling.result import Profile
from faultlens.runs.files import file_digest

FAULTLENS = [sys.executable, "-m", "faultlens.cli.main"]


def faultlens(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*FAULTLENS, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=True
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The demo's run folder and what it printed."""
    here = tmp_path_factory.mktemp("demo")
    done = faultlens("demo", cwd=here)
    return here / "runs" / "demo", done.stdout


def test_the_demos_folder_holds_what_the_design_says(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert {"manifest.json", "profile.json", "audit.json", "report.html"} <= files
    assert {"tables/categories.parquet", "tables/prompts.parquet", "tables/levels.parquet"} <= files
    assert {f"activations/{what}/3-res-mini.parquet" for what in ("corpus", "task")} <= files
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) == files - {"manifest.json", "report.html"}
    for name, digest in manifest["files"].items():
        assert file_digest(folder / name) == digest
    assert set(manifest["inputs"]) == {"model", "dictionaries", "corpus", "task", "pairs"}
    convention = manifest["conventions"]["3-res-mini"]
    assert convention.pop("fit_check").startswith("passed: FVU 0.1")
    assert convention == {"prepend_bos": True, "centred": False, "decoder_norm": True}
    assert list(folder.parent.iterdir()) == [folder], "nothing half-written beside it"


def test_the_demo_finds_what_is_there_to_find(demo: tuple[Path, str]) -> None:
    folder, printed = demo
    profile = Profile.from_dict(json.loads((folder / "profile.json").read_text()))
    beyond = [category for category, sites in profile.beyond_chance().items() if sites]
    assert len(beyond) >= 5
    audit = Audit.from_dict(json.loads((folder / "audit.json").read_text()))
    assert audit.n == 300
    keys = audit.factors["object"]["the keys"]
    assert keys.rate > 0.9
    assert keys.p_holm < 1e-6
    top = audit.leading
    assert top is not None
    assert top.auroc > 0.5
    assert top.p_deciding <= 0.01
    assert "PROXY of object = the keys" in {reading.verdict.label for _, reading in audit.classes}
    assert top.intervention is not None
    necessity = top.intervention.necessity
    assert necessity.controls_planned is not None and necessity.controls_planned >= 199
    assert necessity.controls == necessity.controls_planned or necessity.stopped_early
    assert 16 <= len(printed.splitlines()) <= 41, "twenty lines a study, and where the page is"
    assert "report.html" in printed
    assert top.verdict.label in printed


def test_the_tables_agree_with_the_results(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    audit = json.loads((folder / "audit.json").read_text())
    prompts = pd.read_parquet(folder / "tables" / "prompts.parquet")
    assert len(prompts) == 300
    assert int((~prompts["success"]).sum()) == audit["failures"]
    pooled = pd.read_parquet(folder / "tables" / "pooled-3-res-mini.parquet")
    profile = json.loads((folder / "profile.json").read_text())
    strongest = profile["sites"]["3-res-mini"]["strongest"]
    assert pooled["activation"].max() == pytest.approx(strongest["activation"])


def test_the_page_is_built_again_from_the_results(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    before = (folder / "report.html").read_text()
    (folder / "report.html").unlink()
    faultlens("report", folder, cwd=folder)
    assert (folder / "report.html").read_text() == before


def test_the_same_command_gives_the_same_numbers(demo: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = demo
    done = faultlens("profile", "seven-categories", "--json", cwd=tmp_path)
    again = Profile.from_dict(json.loads(done.stdout))
    first = Profile.from_dict(json.loads((folder / "profile.json").read_text()))
    for name, site in first.sites.items():
        for category, reading in site.categories.items():
            other = again.sites[name].categories[category]
            assert other.selectivity.feature == reading.selectivity.feature
            assert other.selectivity.p_holm == reading.selectivity.p_holm
            assert other.top_sum == pytest.approx(reading.top_sum, rel=1e-5)
    assert list(tmp_path.iterdir()) == []


def test_an_audit_of_prompts_from_a_file(tmp_path: Path) -> None:
    lines = [
        {
            "prompt": f"{a} and {b} met at the park. {b} gave the map to", "target": a, "foil": b,
            "author": "me",
        }
        for a in ("Mary", "Tom", "Anna", "Paul") for b in ("Susan", "Kevin", "Lucy", "Ben")
    ]  # fmt: skip
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    done = faultlens(
        "audit", path, "--layers", "3", "--permutations", "99", "--out", "run", cwd=tmp_path
    )
    audit = json.loads((tmp_path / "run" / "audit.json").read_text())
    assert audit["n"] == 16
    assert audit["warnings"][0] == (
        "author: nothing is made of these columns of the task; what describes a prompt belongs "
        "under 'factors'"
    )
    assert "Which prompts of mine fail, and why?" in done.stdout
    tokens = pd.read_parquet(tmp_path / "run" / "tables" / "prompt-tokens.parquet")
    texts = tokens.sort_values("position").groupby("text_id").token.agg("".join)
    assert texts.tolist() == [line["prompt"] for line in lines]
    fired = pd.read_parquet(tmp_path / "run" / "activations" / "task" / "3-res-mini.parquet")
    last = fired.groupby("text_id").position.max()
    assert last.tolist() == (tokens.groupby("text_id").size() - 1).tolist(), "the same positions"
    assert "Feature pages" in (tmp_path / "run" / "report.html").read_text()
    again = subprocess.run(
        [*FAULTLENS, "audit", str(path), "--out", "run"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert again.returncode == 2
    assert "run holds a run already" in again.stderr


def test_a_profile_of_a_folder_with_everything_asked_for(tmp_path: Path) -> None:
    """Text files by category, one twice; pairs; the method study."""
    texts = {
        "code": ["x = [1, 2]", "for i in y:\n    z(i)", "print(a + b)", "def f(q):\n    return q"],
        "chat": ["hi there", "how are you", "see you soon then", "hi there"],
        "maths": ["2 + 2 = 4"],
    }
    for category, of_category in texts.items():
        (tmp_path / "mine" / category).mkdir(parents=True)
        for number, text in enumerate(of_category):
            (tmp_path / "mine" / category / f"{number}.txt").write_text(text)
    rows = [
        {"topic": f"{a} and {b}", "form": form, "text": text}
        for a, b in ((1, 2), (3, 4), (5, 3))
        for form, text in (("signs", f"{a} + {b} = {a + b}"), ("words", f"{a} plus {b} is {a + b}"))
    ]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done = faultlens(
        "profile", "mine", "--layers", "3,4", "--permutations", "199",
        "--pairs", "pairs.jsonl", "--multiverse", "--out", "run", cwd=tmp_path,
    )  # fmt: skip
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert warnings == [
        'warning: 1 text stands more than once: "hi there" at mine/chat/0.txt and mine/chat/3.txt',
        "warning: category maths has one text: one text does not show what its category "
        "has in common",
    ]
    profile = Profile.from_dict(json.loads((tmp_path / "run" / "profile.json").read_text()))
    assert (profile.corpus, profile.n_texts, profile.length_strata) == ("mine", 9, None)
    assert [f"warning: {w}" for w in profile.warnings] == warnings
    assert profile.pairs is not None and profile.pairs.pairs == 3
    assert profile.multiverse is not None and profile.multiverse.permutations == 199
    assert profile.tokens is not None and profile.layers is not None
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["inputs"]["pairs"]["name"] == "pairs"
    printed = " ".join(done.stdout.split())
    assert "across forms at" in printed and "claims that the default specification" in printed
    page = (tmp_path / "run" / "report.html").read_text()
    for said in ("To be read with care", "Where they fire", "Method study"):
        assert said in page


def test_tokens_shows_where_a_feature_fires(tmp_path: Path) -> None:
    shown = faultlens("tokens", "Mary met Tom.", "--feature", "3/5", cwd=tmp_path).stdout
    assert shown.splitlines()[0].startswith("3-res-mini/5 in 4 tokens")
    as_json = faultlens("tokens", "Mary met 😵.", "--feature", "4/1463", "--json", cwd=tmp_path)
    result = json.loads(as_json.stdout)
    tokens = [token["token"] for token in result["tokens"]]
    assert tokens[:2] == ["Mary", " met"] and tokens[-1] == "."
    assert "😵" in tokens[-2], "the last byte of the character shows it"
    assert [token["class"] for token in result["tokens"]][2:-1] == ["emoji"] * (len(tokens) - 3)
    assert sum(result["classes"].values()) == pytest.approx(1)


def test_tokens_shows_a_corpuss_strongest_texts(tmp_path: Path) -> None:
    asked = ["tokens", "--feature", "4/1463", "--corpus", "seven-categories", "--top", "3"]
    seen = json.loads(faultlens(*asked, "--json", cwd=tmp_path).stdout)["corpus"]
    assert [example["category"] for example in seen["examples"]] == ["Social"] * 3
    heights = [example["activation"] for example in seen["examples"]]
    assert heights == sorted(heights, reverse=True)
    assert seen["classes"]["emoji"]["share"] > 10 * seen["classes"]["emoji"]["random"]
    lines = faultlens(*asked, cwd=tmp_path).stdout.splitlines()
    assert lines[0].startswith("4-res-mini/1463 in seven-categories: fires on")
    assert len(lines) <= 1 + 3 + 1 + 7 and max(map(len, lines)) <= 120
    emoji = next(line for line in lines if line.startswith("  emoji"))
    assert "random" in emoji and "of features" in emoji


def test_the_doctor_measures_every_dictionary_asked_for(tmp_path: Path) -> None:
    done = faultlens("doctor", "--layers", "2,4", "--json", cwd=tmp_path)
    fits = json.loads(done.stdout)
    assert list(fits) == ["2-res-mini", "4-res-mini"]
    for fit in fits.values():
        assert fit["tokens"] >= 2000
        assert 0 < fit["fvu"] < 0.5
        assert fit["l0"] <= 32
        assert 0.5 < fit["firing_share"] <= 1
    printed = faultlens("doctor", "--layers", "2", cwd=tmp_path).stdout
    assert "Loss recovered says nothing here: the model's own loss is" in printed
    assert "residuals centred: FVU 0." in printed


def test_the_doctor_refuses_a_dictionary_that_does_not_fit(tmp_path: Path) -> None:
    """The dictionary of layer 2 with its decoder's directions handed to the wrong features."""
    wrong = tmp_path / "wrong" / "blocks.2.hook_resid_pre"
    shutil.copytree(SAES / "blocks.2.hook_resid_pre", wrong)
    tensors = load_file(wrong / "sae_weights.safetensors")
    tensors["W_dec"] = tensors["W_dec"].flip(0).contiguous()
    save_file(tensors, wrong / "sae_weights.safetensors")
    done = subprocess.run(
        [*FAULTLENS, "doctor", "--sae", str(tmp_path / "wrong")],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "dictionary 2-res-wrong leaves" in done.stderr
    assert "unexplained, expected at most 50%" in done.stderr


def test_a_run_without_the_fit_check_says_so(tmp_path: Path) -> None:
    faultlens(
        "profile", "seven-categories", "--layers", "2", "--permutations", "99", "--no-fit-check",
        "--out", "run", cwd=tmp_path,
    )  # fmt: skip
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["arguments"]["fit_check"] == "False"
    assert manifest["conventions"]["2-res-mini"]["fit_check"] == "left out on demand"
    profile = json.loads((tmp_path / "run" / "profile.json").read_text())
    assert profile["sites"]["2-res-mini"]["convention"]["fit_check"] == "left out on demand"
    page = (tmp_path / "run" / "report.html").read_text()
    assert "left out: --no-fit-check" in page
