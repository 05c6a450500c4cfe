"""`docs/real_models.md` shows the results that lie in `benchmarks/results/`, and no others."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import audit_samples
import pandas as pd
import pytest
import samples

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
STALE = "docs/real_models.md is stale: run `python benchmarks/real_models.py`"
COST = {"seconds": 90.0, "processor_seconds": 60.0, "peak_mb": 1500}


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts find what lies beside them."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture
def script(imported: Callable[[Path], ModuleType]) -> ModuleType:
    return imported(BENCHMARKS / "real_models.py")


@pytest.fixture
def findings(imported: Callable[[Path], ModuleType]) -> ModuleType:
    return imported(BENCHMARKS / "real_findings.py")


@pytest.fixture
def audited(findings: ModuleType, tmp_path: Path) -> dict[str, Any]:
    """What is kept of an audit that has everything."""
    told = audit_samples.cause().to_dict()
    (tmp_path / "audit.json").write_text(json.dumps(told), encoding="utf-8")
    found: dict[str, Any] = findings.audit_findings(tmp_path, answers=4)
    return found


@pytest.fixture
def profiled(findings: ModuleType, tmp_path: Path) -> dict[str, Any]:
    """What is kept of a profile: feature 1 fires on every text, feature 2 on 20 of 70."""
    profile = samples.whole_profile()
    (tmp_path / "profile.json").write_text(json.dumps(profile.to_dict()), encoding="utf-8")
    (tmp_path / "activations" / "corpus").mkdir(parents=True)
    rows = [(text, 0, 1, 2.0) for text in range(70)] + [(text, 3, 2, 1.0) for text in range(20)]
    fired = pd.DataFrame(rows, columns=["text_id", "position", "feature", "activation"])
    for name in profile.sites:
        fired.to_parquet(tmp_path / "activations" / "corpus" / f"{name}.parquet")
    found: dict[str, Any] = findings.profile_findings(tmp_path)
    return found


def test_the_page_is_what_the_results_make(script: ModuleType) -> None:
    results = script.load()
    assert script.PAGE.read_text(encoding="utf-8") == script.page(results), STALE
    for name, (chart, alt) in script.figures(results).items():
        file = script.PAGE.with_name(f"{name}.svg")
        assert file.read_text(encoding="utf-8") == script.drawn(chart, alt), STALE


def test_a_part_that_was_not_run_says_so(script: ModuleType) -> None:
    """Nothing was run: each part names the command that runs it, and no number stands there."""
    said = script.page({"smoke": script.load()["smoke"]})
    assert said.count("**Not run yet**") >= 14
    assert "## In short" not in said
    steps = ",".join(re.findall(r"--steps ([a-z,]+)", said)).split(",")
    every = {"text", "train", "profile", "layers", "keys", "audit", "start", "parity"}
    assert every <= set(steps)


def test_what_is_kept_of_an_audit_is_what_it_says(audited: dict[str, Any]) -> None:
    whole = audit_samples.cause()
    leading = whole.classes[0][1]
    assert (audited["n"], audited["failures"]) == (300, 61)
    first = audited["classes"][0]
    assert first["verdict"] == "CAUSE"
    assert leading.intervention is not None
    necessity = leading.intervention.necessity
    assert first["changed"]["necessity"]["adjusted"] == necessity.adjusted
    assert first["changed"]["necessity"]["shown"] is necessity.shown
    significant = [one for _, one in whole.significant]
    assert audited["significant_classes"] == len(significant)
    assert sum(audited["verdicts"].values()) == len(significant)
    assert audited["swaps"][0]["patches"][1]["denoise"]["value"] == 0.958
    assert audited["answers"][0]["kind"] != "success"


def test_what_is_kept_of_a_profile_counts_general_features(profiled: dict[str, Any]) -> None:
    site = profiled["sites"]["4-res-mini"]
    assert (site["general"], site["everywhere"], site["firing"]) == (1, 1, 1204)
    assert site["categories"]["Python"]["selectivity"]["auroc"] == 0.99
    assert site["pairs"]["p_holm"] == 2e-4


def test_the_page_says_what_was_found(
    script: ModuleType, audited: dict[str, Any], profiled: dict[str, Any]
) -> None:
    audit = {**audited, "cost": COST, "load": 1.0}
    results = {
        "smoke": script.load()["smoke"],
        "layers-gemma-3-270m": audit,
        "audit-gemma-3-270m": audit,
        "seeds-gemma-3-270m": audit,
        "again-gemma-3-270m": audit | {"compared": {"classes": []}, "verdict": "UNDERPOWERED",
                                       "sentence": "3 failures"},
        "profile-gemma-3-270m": {seed: {**profiled, "cost": COST} for seed in ("seed-0", "seed-1")}
        | {"load": 1.0},
    }  # fmt: skip
    said = script.page(results)
    keys = audited["factors"]["object"]["the keys"]
    assert f"fails on {keys['failures']} of {keys['n']} prompts with “the keys”" in said
    assert "leading verdict CAUSE, through the other seed's dictionaries UNDERPOWERED" in said
    assert "failures 61 (seed 0), 58 (seed 1)" in said
    assert "Of 2 classes that were followed the verdict of 1 is the same" in said
    assert "| 4 residual | 0 |" in said and "| 1 of 1,204 |" in said
    assert "the keys → a book in 43 prompts mends 34 of 40 failures" in said
    assert said.count("**Not run yet** (Gemma 3 270M)") == 3  # keys, train, parity


def test_the_page_says_how_dictionaries_fit_and_what_others_read(script: ModuleType) -> None:
    fit = {"tokens": 2000, "massive": 13, "fvu": 0.21, "fvu_all": 0.007, "l0": 32.0,
           "l0_all": 31.5, "firing_share": 0.9, "recovered_from_mean": 0.97,
           "recovered_from_zero": None}  # fmt: skip
    site = "blocks.2.hook_attn_out"
    card = {"site": site, "seed": 0, "tokens": 3_000_320, "held_out": fit,
            "stability": [{"share": 0.021}]}  # fmt: skip
    seen = {"tokens": 31, "left_out": 1, "firings": 992, "other_features": 0,
            "largest_relative_error": 3e-6}  # fmt: skip
    results = {
        "smoke": script.load()["smoke"],
        "train-gemma-3-270m": {"cards": [card], "tokens_by_source": {"bible": 4_000_000},
                               "load": 1.0, "cost": None},
        "doctor-gemma-3-270m": {"dictionaries": {"2-att-seed-0": fit}, "load": 1.0,
                                "with_first": {"2-att-seed-0": {"norm_ratio": 21.3, "fvu": 0.004}},
                                "complaint": "faultlens: 2-att-seed-0 does not fit"},
        "parity-gemma-3-270m": {"load": 1.0, "activations": {"seed-0": {site: seen}}, "sites": {
            "tokens": 32, "largest_logit_error": 2e-5,
            "largest_by_layer": {"resid_pre": [0.0, 3e-7], "attn_out": [1e-7, 0.0]}}},
        "keys-gemma-3-270m": {"prompts": 125, "failures": 90, "tokens": 24, "load": 1.0,
                              "first_named": {"target": 80, "nobody": 10},
                              "openings": {"the car": 70}, "examples": ["the car to Dan."],
                              "wordings": {"the keys": {"prompts": 125, "right": 35}}},
    }  # fmt: skip
    said = script.page(results)
    assert "| 2 attention | 0 | 0.210 | 32 | 10.0% | 0.970 | 2.1% |" in said
    assert "| 2 attention | 13 | 0.210 | 0.007 | 32.0 | 31.5 | 21.3 × | 0.004 |" in said
    assert "It refuses one of them: 2-att-seed-0 does not fit" in said
    assert "resid_pre 3e-07 (layer 1), attn_out 1e-07 (layer 0)" in said
    assert "| 2 attention | 0 | 31 | 992 | 0 | 3e-06 |" in said
    results["layers-gemma-3-270m"] = {"swaps": [], "failures": 18, "n": 150, "answers": [],
                                      "failures_over_foil": 18, "factors": {"object": {
                                          "the keys": {"n": 22, "failures": 16, "low": 0.5,
                                                       "high": 0.9, "p_holm": 1e-9}}},
                                      "outcome_kinds": {}, "scoring_sensitivity": {},
                                      "failing_replies": [], "load": 1.0}  # fmt: skip
    said = script.page(results)
    assert "the right one in 80, the wrong one in 0, and neither is named in 10" in said
    assert "Gemma's failures are mostly the scoring's: in 18 of 18" in said


def test_a_picture_reads_in_light_and_dark_and_on_a_phone(
    script: ModuleType, audited: dict[str, Any]
) -> None:
    (chart, alt) = script.figures({"layers-gemma-3-270m": audited})["real_objects"]
    drawn = script.drawn(chart, alt)
    assert "prefers-color-scheme:dark" in drawn
    assert int(re.search(r'viewBox="0 0 (\d+) ', drawn)[1]) <= 390  # type: ignore[index]
    keys = audited["factors"]["object"]["the keys"]
    assert f"the keys: {keys['failures']} of {keys['n']} fail" in drawn


def test_results_name_no_folder_of_the_machine_that_ran_them(
    imported: Callable[[Path], ModuleType], tmp_path: Path
) -> None:
    study = imported(BENCHMARKS / "real_study.py")
    study.Taken(tmp_path / "results", False, tmp_path).take(
        "x", lambda: {"at": f"{tmp_path}/model"}
    )
    assert "SCRATCH/model" in (tmp_path / "results" / "x.json").read_text("utf-8")
    kept = [*(BENCHMARKS / "results").rglob("*.json")]
    assert len(kept) > 10
    for file in kept:
        assert not re.search(r'[\s"](/(tmp|home|root|work|Users)/)', file.read_text("utf-8")), file


def test_a_step_is_taken_once(imported: Callable[[Path], ModuleType], tmp_path: Path) -> None:
    study = imported(BENCHMARKS / "real_study.py")
    taken = study.Taken(tmp_path / "results", False, tmp_path)
    taken.take("profile-x", lambda: {"found": 1})
    taken.take("profile-x", lambda: {"found": 2})
    assert json.loads(taken.file("profile-x").read_text())["found"] == 1
    study.Taken(tmp_path / "results", True, tmp_path).take("profile-x", lambda: {"found": 3})
    assert json.loads(taken.file("profile-x").read_text())["found"] == 3
    with pytest.raises(ZeroDivisionError):
        taken.take("audit-x", lambda: {"found": 1 // 0})
    assert not taken.is_there("audit-x")


def test_who_is_named_first_is_a_word_of_its_own(
    imported: Callable[[Path], ModuleType],
) -> None:
    first_named = imported(BENCHMARKS / "real_keys.py").first_named
    assert first_named(" the car to Dan. Then Ann left", ["Ann", "Dan"]) == "Dan"
    assert first_named(" Danny's car, which Ann drove", ["Ann", "Dan"]) == "Ann"
    assert first_named(" the car", ["Ann", "Dan"]) is None


def test_what_the_study_published_is_found_again_on_gemma(script: ModuleType) -> None:
    audit = script.load()["smoke"]["models"]["gemma-3-270m"]["audit"]
    counts = {name: [int(n) for n in said.split(" of ")] for name, said in
              audit["right_by_object"].items()}  # fmt: skip
    failures = {name: of - right for name, (right, of) in counts.items()}
    assert (failures.pop("the keys"), counts["the keys"][1]) == (16, 22)
    assert sum(failures.values()) == 2
    assert audit["swaps"][0]["mended"] == "16 of 16"


def test_sites_and_activations_are_what_transformers_and_saelens_give(script: ModuleType) -> None:
    results = script.load()
    for model in ("gemma-3-270m", "SmolLM2-135M-Instruct"):
        found = results[f"parity-{model}"]
        for of_layers in found["sites"]["largest_by_layer"].values():
            assert max(of_layers) < 1e-5
        dictionaries = [one for seed in found["activations"].values() for one in seed.values()]
        assert len(dictionaries) == 8
        assert all(one["tokens"] >= 30 for one in dictionaries)
        assert not any(one["other_features"] for one in dictionaries)
        assert max(one["largest_relative_error"] for one in dictionaries) < 1e-4
