"""Whole runs on the bundled model: what lies in the folder, and what is said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file, save_file

from faultlens.auditing.result.audit import Audit
from faultlens.mini import SAES
from faultlens.profiling.result import Profile
from faultlens.runs.files import file_digest

Run = Callable[..., tuple[int, str, str]]
Printed = Callable[..., str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of every command: empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def printed(run: Run) -> Printed:
    """What `faultlens …` prints, which ends well."""

    def called(*arguments: object) -> str:
        code, out, err = run(*arguments)
        assert code == 0, err
        return out

    return called


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
    folder, shown = demo
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
    assert 16 <= len(shown.splitlines()) <= 41, "twenty lines a study, and where the page is"
    assert "report.html" in shown
    assert top.verdict.label in shown


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


def test_the_page_is_built_again_from_the_results(
    demo: tuple[Path, str], printed: Printed, here: Path
) -> None:
    folder = shutil.copytree(demo[0], here / "demo")
    before = (folder / "report.html").read_text()
    (folder / "report.html").unlink()
    printed("report", folder)
    assert (folder / "report.html").read_text() == before


def test_the_same_command_gives_the_same_numbers(
    demo: tuple[Path, str], printed: Printed, here: Path
) -> None:
    """In another process, and without the demo's pairs and audit."""
    folder, _ = demo
    again = Profile.from_dict(json.loads(printed("profile", "seven-categories", "--json")))
    first = Profile.from_dict(json.loads((folder / "profile.json").read_text()))
    for name, site in first.sites.items():
        for category, reading in site.categories.items():
            other = again.sites[name].categories[category]
            assert other.selectivity.feature == reading.selectivity.feature
            assert other.selectivity.p_holm == reading.selectivity.p_holm
            assert other.top_sum == pytest.approx(reading.top_sum, rel=1e-5)
    assert list(here.iterdir()) == []


def test_an_audit_of_prompts_from_a_file(run: Run, printed: Printed, here: Path) -> None:
    lines = [
        {
            "prompt": f"{a} and {b} met at the park. {b} gave the map to", "target": a, "foil": b,
            "author": "me",
        }
        for a in ("Mary", "Tom", "Anna", "Paul") for b in ("Susan", "Kevin", "Lucy", "Ben")
    ]  # fmt: skip
    Path("mine.jsonl").write_text("\n".join(map(json.dumps, lines)))
    quick = ("--layers", "3", "--permutations", "99")
    shown = printed("audit", here / "mine.jsonl", *quick, "--out", "run")
    audit = json.loads(Path("run", "audit.json").read_text())
    assert audit["n"] == 16
    assert audit["warnings"][0] == (
        "author: nothing is made of these columns of the task; what describes a prompt belongs "
        "under 'factors'"
    )
    assert "Which prompts of mine fail, and why?" in shown
    tokens = pd.read_parquet("run/tables/prompt-tokens.parquet")
    texts = tokens.sort_values("position").groupby("text_id").token.agg("".join)
    assert texts.tolist() == [line["prompt"] for line in lines]
    fired = pd.read_parquet("run/activations/task/3-res-mini.parquet")
    last = fired.groupby("text_id").position.max()
    assert last.tolist() == (tokens.groupby("text_id").size() - 1).tolist(), "the same positions"
    assert "Feature pages" in Path("run", "report.html").read_text()
    code, _, err = run("audit", "mine.jsonl", "--out", "run")
    assert code == 2
    assert "run holds a run already" in err


def test_a_profile_of_a_folder_with_everything_asked_for(run: Run) -> None:
    """Text files by category, one twice; pairs; the method study."""
    texts = {
        "code": ["x = [1, 2]", "for i in y:\n    z(i)", "print(a + b)", "def f(q):\n    return q"],
        "chat": ["hi there", "how are you", "see you soon then", "hi there"],
        "maths": ["2 + 2 = 4"],
    }
    for category, of_category in texts.items():
        Path("mine", category).mkdir(parents=True)
        for number, text in enumerate(of_category):
            Path("mine", category, f"{number}.txt").write_text(text)
    rows = [
        {"topic": f"{a} and {b}", "form": form, "text": text}
        for a, b in ((1, 2), (3, 4), (5, 3))
        for form, text in (("signs", f"{a} + {b} = {a + b}"), ("words", f"{a} plus {b} is {a + b}"))
    ]
    Path("pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    code, out, err = run(
        "profile", "mine", "--layers", "3,4", "--permutations", "199", "--pairs", "pairs.jsonl",
        "--multiverse", "--out", "run",
    )  # fmt: skip
    assert code == 0, err
    warnings = [line for line in err.splitlines() if line.startswith("warning: ")]
    assert warnings == [
        'warning: 1 text stands more than once: "hi there" at mine/chat/0.txt and mine/chat/3.txt',
        "warning: category maths has one text: one text does not show what its category "
        "has in common",
    ]
    profile = Profile.from_dict(json.loads(Path("run", "profile.json").read_text()))
    assert (profile.corpus, profile.n_texts, profile.length_strata) == ("mine", 9, None)
    assert [f"warning: {w}" for w in profile.warnings] == warnings
    assert profile.pairs is not None and profile.pairs.pairs == 3
    assert profile.multiverse is not None and profile.multiverse.permutations == 199
    assert profile.tokens is not None and profile.layers is not None
    manifest = json.loads(Path("run", "manifest.json").read_text())
    assert manifest["inputs"]["pairs"]["name"] == "pairs"
    shown = " ".join(out.split())
    assert "across forms at" in shown and "claims that the default specification" in shown
    page = Path("run", "report.html").read_text()
    for said in ("To be read with care", "Where they fire", "Method study"):
        assert said in page


def test_tokens_shows_where_a_feature_fires(printed: Printed) -> None:
    shown = printed("tokens", "Mary met Tom.", "--feature", "3/5")
    assert shown.splitlines()[0].startswith("3-res-mini/5 in 4 tokens")
    result = json.loads(printed("tokens", "Mary met 😵.", "--feature", "4/1463", "--json"))
    tokens = [token["token"] for token in result["tokens"]]
    assert tokens[:2] == ["Mary", " met"] and tokens[-1] == "."
    assert "😵" in tokens[-2], "the last byte of the character shows it"
    assert [token["class"] for token in result["tokens"]][2:-1] == ["emoji"] * (len(tokens) - 3)
    assert sum(result["classes"].values()) == pytest.approx(1)


def test_tokens_shows_a_corpuss_strongest_texts(printed: Printed) -> None:
    asked = ["tokens", "--feature", "4/1463", "--corpus", "seven-categories", "--top", "3"]
    seen = json.loads(printed(*asked, "--json"))["corpus"]
    assert [example["category"] for example in seen["examples"]] == ["Social"] * 3
    heights = [example["activation"] for example in seen["examples"]]
    assert heights == sorted(heights, reverse=True)
    assert seen["classes"]["emoji"]["share"] > 10 * seen["classes"]["emoji"]["random"]
    lines = printed(*asked).splitlines()
    assert lines[0].startswith("4-res-mini/1463 in seven-categories: fires on")
    assert len(lines) <= 1 + 3 + 1 + 7 and max(map(len, lines)) <= 120
    emoji = next(line for line in lines if line.startswith("  emoji"))
    assert "random" in emoji and "of features" in emoji


def test_the_doctor_measures_every_dictionary_asked_for(printed: Printed) -> None:
    fits = json.loads(printed("doctor", "--layers", "2,4", "--json"))
    assert list(fits) == ["2-res-mini", "4-res-mini"]
    for fit in fits.values():
        assert fit["tokens"] >= 2000
        assert 0 < fit["fvu"] < 0.5
        assert fit["l0"] <= 32
        assert 0.5 < fit["firing_share"] <= 1
    shown = printed("doctor", "--layers", "2")
    assert "Loss recovered says nothing here: the model's own loss is" in shown
    assert "residuals centred: FVU 0." in shown


def test_the_doctor_refuses_a_dictionary_that_does_not_fit(run: Run, here: Path) -> None:
    """The dictionary of layer 2 with its decoder's directions handed to the wrong features."""
    wrong = here / "wrong" / "blocks.2.hook_resid_pre"
    shutil.copytree(SAES / "blocks.2.hook_resid_pre", wrong)
    tensors = load_file(wrong / "sae_weights.safetensors")
    tensors["W_dec"] = tensors["W_dec"].flip(0).contiguous()
    save_file(tensors, wrong / "sae_weights.safetensors")
    code, _, err = run("doctor", "--sae", here / "wrong")
    assert code == 2
    assert "dictionary 2-res-wrong leaves" in err
    assert "unexplained, expected at most 50%" in err


def test_a_run_without_the_fit_check_says_so(printed: Printed) -> None:
    printed(
        "profile", "seven-categories", "--layers", "2", "--permutations", "99", "--no-fit-check",
        "--out", "run",
    )  # fmt: skip
    manifest = json.loads(Path("run", "manifest.json").read_text())
    assert manifest["arguments"]["fit_check"] == "False"
    assert manifest["conventions"]["2-res-mini"]["fit_check"] == "left out on demand"
    profile = json.loads(Path("run", "profile.json").read_text())
    assert profile["sites"]["2-res-mini"]["convention"]["fit_check"] == "left out on demand"
    page = Path("run", "report.html").read_text()
    assert "left out: --no-fit-check" in page
