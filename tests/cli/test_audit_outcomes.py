"""`faultlens audit --outcomes`: tables in, a run folder out, and a sentence for what is wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file
from scipy.sparse import csr_matrix, save_npz

import faultlens as fl
from faultlens.cli.main import main
from faultlens.corpus.answers import Answers
from faultlens.corpus.task import Prompt, Task
from faultlens.features.table import FeatureTable, table_from_matrix
from faultlens.runs.files import file_digest

N = 60
OBJECTS = ["the keys" if i < 20 else "a book" if i < 40 else "a pen" for i in range(N)]
FAILED = np.array([i % 20 < (18 if i < 20 else 3) for i in range(N)])
QUICK = ("--permutations", "199", "--no-baselines")


def records() -> list[dict[str, Any]]:
    return [
        {
            "prompt": f"When Ann and Bob met {i} times, Bob gave {OBJECTS[i]} to",
            "target": "Ann",
            "foil": "Bob",
            "generated": f" {OBJECTS[i]} of" if bad and i % 2 else " Bob" if bad else " Ann, who",
            "object": OBJECTS[i],
            "times": i,
        }
        for i, bad in enumerate(FAILED)
    ]


def features() -> np.ndarray:
    """30 features in whole numbers: 3 copies the keys, 7 failure, 9 fires nowhere."""
    rng = np.random.default_rng(0)
    dense = (rng.integers(1, 9, (N, 30)) * (rng.random((N, 30)) < 0.2)).astype(np.float32)
    dense[:, 3] = np.where(np.array(OBJECTS) == "the keys", 4, 0)
    dense[:, 7] = np.where(FAILED, 2 + np.arange(N) % 5, 0)
    dense[:, 9] = 0
    return dense


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with the outcomes as JSONL, features and residuals."""
    jsonl(tmp_path / "outcomes.jsonl", records())
    np.save(tmp_path / "acts.npy", features())
    residuals = np.random.default_rng(1).normal(size=(N, 6)) + FAILED[:, None]
    np.save(tmp_path / "residuals.npy", residuals)
    return tmp_path


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Exit code, standard output and the sentences on standard error of `faultlens audit …`."""

    def called(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["faultlens", "audit", *map(str, arguments)])
        with pytest.raises(SystemExit) as leave:
            main()
        captured = capsys.readouterr()
        said = [line for line in captured.err.splitlines() if line.startswith("faultlens: ")]
        assert "Traceback" not in captured.err
        return int(leave.value.code or 0), captured.out, "\n".join(said)

    return called


def strict(text: str) -> dict[str, Any]:
    """JSON without NaN and infinity, which Python would read and others would not."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} in JSON")

    found: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return found


def result_of(run: Run, *arguments: str | Path) -> dict[str, Any]:
    code, out, said = run(*arguments, "--json")
    assert (code, said) == (0, "")
    return strict(out)


def test_every_format_of_outcomes_gives_the_same_audit(run: Run, here: Path) -> None:
    frame = pd.DataFrame(records())
    frame.to_csv(here / "outcomes.csv", index=False)
    frame.to_csv(here / "outcomes.tsv", sep="\t")  # with its index
    frame.to_parquet(here / "outcomes.parquet")
    own = ("prompt", "target", "foil", "generated")
    jsonl(here / "outcomes.ndjson", [
        {**{k: r[k] for k in own}, "factors": {k: v for k, v in r.items() if k not in own}}
        for r in records()
    ])  # fmt: skip
    acts = f"8-res-x={here / 'acts.npy'}"
    found = {
        suffix: result_of(
            run, "--outcomes", here / f"outcomes.{suffix}", "--features", acts, *QUICK
        )
        for suffix in ("jsonl", "csv", "tsv", "parquet", "ndjson")
    }
    assert list(found["jsonl"]["factors"]) == ["object", "times"]
    assert found["jsonl"]["failures"] == FAILED.sum()
    assert all(result == found["jsonl"] for result in found.values())


def test_every_format_of_a_matrix_gives_the_same_audit(run: Run, here: Path) -> None:
    dense, sparse = features(), csr_matrix(features())
    parts = {"data": sparse.data, "indices": sparse.indices, "indptr": sparse.indptr}
    np.savez(here / "dense.npz", features=dense)
    save_npz(here / "sparse.npz", sparse)
    save_npz(here / "columns.npz", sparse.tocsc())
    save_file({"acts": dense}, here / "dense.safetensors")
    save_file({**parts, "shape": np.array(sparse.shape)}, here / "sparse.safetensors")
    found = {}
    for name in ("acts.npy", "dense.npz", "sparse.npz", "columns.npz", "dense.safetensors",
                 "sparse.safetensors"):  # fmt: skip
        result = result_of(
            run, "--outcomes", here / "outcomes.jsonl", "--features", f"8-res-x={here / name}",
            *QUICK,
        )  # fmt: skip
        convention = result["sites"]["8-res-x"].pop("convention")
        assert convention == {"source": str(here / name), "pooling": "not said"}
        found[name] = result
    verdicts = {f: c["verdict"] for c in found["acts.npy"]["sites"]["8-res-x"]["classes"]
                for f in c["features"]}  # fmt: skip
    assert verdicts["8-res-x/3"] == "PROXY of object = the keys"
    assert verdicts["8-res-x/7"] == "CORRELATE"
    assert all(result == found["acts.npy"] for result in found.values())


def test_the_run_folder_keeps_the_contract(run: Run, here: Path) -> None:
    """Every key that other programs may rely on; what was not done is null, with its reason."""
    folder = here / "run"
    code, out, said = run(
        "--outcomes", here / "outcomes.jsonl", "--features", f"8-res-x={here / 'acts.npy'}",
        "--residuals", f"8={here / 'residuals.npy'}", "--pooled", "mean", "--strata", "object",
        "--permutations", "199", "--folds", "study", "--out", folder,
    )  # fmt: skip
    assert (code, said) == (0, "")
    assert "Which prompts of outcomes fail, and why?" in out and str(folder / "report.html") in out
    data = strict((folder / "audit.json").read_text(encoding="utf-8"))
    assert data["n"] == N and data["failures"] == FAILED.sum()
    assert sum(data["outcome_kinds"].values()) == N
    assert data["outcome_kinds"]["success"] == N - FAILED.sum()
    assert set(data["scoring_sensitivity"]) == {
        "exact-word", "first-token", "named-later", "contains"
    }  # fmt: skip
    keys = data["factors"]["object"]["the keys"]
    level = {"n", "failures", "rate", "low", "high", "p_value", "p_holm", "odds_ratio"}
    assert set(keys) == level and (keys["n"], keys["failures"]) == (20, 18)
    assert data["strata"]["factors"] == ["object"]
    assert data["strata"]["informative"] == 3
    assert data["strata"]["failures_in_them"] == FAILED.sum()
    site = data["sites"]["8-res-x"]
    assert site["tested"] == int((csr_matrix(features()).getnnz(axis=0) >= 5).sum())
    assert {"min_p", "max_t", "holm", "bh"} <= set(site["significant"])
    assert site["study_rule"]["tested"] == 30
    assert site["convention"]["pooling"] == "mean"
    first = site["classes"][0]
    assert set(first) >= {
        "features", "size", "fail_active", "success_active", "cohens_d", "auroc", "p_fisher",
        "p_min_p", "p_max_t", "p_conditional", "proxy", "intervention", "verdict", "sentence",
    }  # fmt: skip
    assert first["features"] == ["8-res-x/7"] and first["intervention"] is None
    proxies = [c["proxy"] for c in site["classes"] if "8-res-x/3" in c["features"]]
    assert proxies == [{"factor": "object", "level": "the keys", "jaccard": 1.0}]
    rungs = data["baselines"]
    assert set(rungs) == {"base_rate", "factors", "bag_of_tokens", "residual",
                          "random_dictionary", "sae_top_k", "sae_all"}  # fmt: skip
    assert all({"auroc", "low", "high"} <= set(rung) for rung in rungs.values())
    for name, rung in rungs.items():
        assert (rung["auroc"] is None) == (rung["reason"] is not None), name
    assert rungs["random_dictionary"]["reason"].startswith("needs token residuals")
    assert rungs["residual"]["auroc"] > 0.7 and rungs["sae_all"]["auroc"] > 0.9
    robustness = data["robustness"]
    assert (robustness["seeds"], robustness["classes"], robustness["needed"]) == ([], [], None)
    assert robustness["reason"] == "no prompts from other seeds were run"
    (half,) = [half for half in robustness["halves"] if "8-res-x/7" in half["features"]]
    assert (half["rate_discovery"], half["rate_replication"]) == (1.0, 1.0), "it copies failure"
    assert half["discovery"] > 2 and half["replication"]["low"] > 1
    assert half["p_replication"] < 1e-4
    assert 0 < robustness["shrinkage"] < 2

    manifest = strict((folder / "manifest.json").read_text())
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert files == {"manifest.json", "audit.json", "report.html"} | {
        f"tables/{name}.parquet" for name in ("prompts", "levels", "features")
    }
    assert set(manifest["files"]) == files - {"manifest.json", "report.html"}
    arguments = manifest["arguments"]
    assert "model" not in arguments and "pooling" not in arguments, "nothing was read"
    assert arguments["pooled"] == "mean"
    assert manifest["inputs"] == {
        "outcomes": {"name": "outcomes", "digest": fl.read_answers(here / "outcomes.jsonl").digest},
        "features": {"8-res-x": file_digest(here / "acts.npy")},
        "residuals": {"8": file_digest(here / "residuals.npy")},
    }
    table = pd.read_parquet(folder / "tables" / "features.parquet")
    assert len(table) == site["tested"]
    assert not table.isna().any().any()
    assert 9 not in set(table["feature"]), "it fires nowhere"
    row = table.set_index("feature").loc[7]
    assert (row["fail_active"], row["success_active"]) == (FAILED.sum(), 0)
    assert row["p_min_p"] == first["p_min_p"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "PROXY of object = the keys" in page and "8-res-x/7" in page
    assert sorted(p.name for p in here.iterdir()) == [
        "acts.npy", "outcomes.jsonl", "residuals.npy", "run"
    ], "nothing half-written beside it"  # fmt: skip


def test_python_gives_an_equal_audit(run: Run, here: Path) -> None:
    acts = here / "acts.npy"
    read = fl.Audit.from_dict(
        result_of(
            run, "--outcomes", here / "outcomes.jsonl", "--features", f"8-res-x={acts}",
            "--residuals", f"8={here / 'residuals.npy'}", "--pooled", "max",
            "--permutations", "199", "--folds", "study", "--seed", "3",
        )
    )  # fmt: skip
    residuals = {"8": np.load(here / "residuals.npy")}
    for answers in (
        fl.read_answers(here / "outcomes.jsonl"),
        Answers.from_records(pd.DataFrame(records()).to_dict("records")),
    ):
        texts = [prompt.text for prompt in answers.task.prompts]
        tables = {"8-res-x": table_from_matrix("8-res-x", acts, texts, "max")}
        result = fl.audit(
            tables, answers, residuals=residuals, permutations=199, folds="study", seed=3
        )
        assert result == read
        assert result.features is not None and len(result.features["feature"]) == 29


def test_a_table_may_hold_numbers_of_any_kind(here: Path) -> None:
    answers = fl.read_answers(here / "outcomes.jsonl")
    rows = pd.DataFrame({"text": [""] * N})

    def audited(matrix: Any) -> fl.Audit:
        table = FeatureTable("8-res-x", matrix, rows, {}, 8)
        return fl.audit({"8-res-x": table}, answers, permutations=99, baselines=False)

    expected = audited(csr_matrix(features()))
    assert audited(csr_matrix(features().astype(int)).tocsc()) == expected
    assert audited(csr_matrix(features() > 0)).failures == expected.failures


def test_the_outcomes_own_success_or_a_rule_that_is_named(run: Run, here: Path) -> None:
    rows = [{**r, "success": i % 2 == 0} for i, r in enumerate(records())]
    path = jsonl(here / "own.jsonl", rows)
    own = result_of(run, "--outcomes", path, *QUICK)
    assert (own["rule"], own["failures"]) == ("given", N // 2)
    named = result_of(run, "--outcomes", path, "--rule", "exact-word", *QUICK)
    assert (named["rule"], named["failures"]) == ("exact-word", FAILED.sum())


def test_success_alone_is_enough(run: Run, here: Path) -> None:
    rows = [{"prompt": r["prompt"], "target": "Ann", "success": int(not bad), "object": r["object"]}
            for r, bad in zip(records(), FAILED, strict=True)]  # fmt: skip
    result = result_of(run, "--outcomes", jsonl(here / "a.jsonl", rows), *QUICK)
    assert result["failures"] == FAILED.sum()
    assert result["outcome_kinds"] == {"success": N - FAILED.sum(), "not recorded": FAILED.sum()}
    assert result["scoring_sensitivity"] == {"given": 1 - FAILED.mean()}
    code, _, said = run("--outcomes", here / "a.jsonl", "--rule", "contains", *QUICK)
    assert (code, said) == (
        2,
        "faultlens: prompt 1 has no 'generated', which the rule contains needs: leave the rule out "
        "to take 'success' as it is",
    )


def test_without_factors_they_are_read_off_the_prompts_and_marked(run: Run, here: Path) -> None:
    own = ("prompt", "target", "generated")
    rows = [{name: record[name] for name in own} for record in records()]
    result = result_of(run, "--outcomes", jsonl(here / "a.jsonl", rows), *QUICK)
    assert result["factors_derived"] is True
    assert result["factors"]['words "the", "keys"']["present"]["failures"] == 18
    assert result["selection"]["kept"][0] == 'words "the", "keys"'
    given = result_of(run, "--outcomes", here / "outcomes.jsonl", "--factors", "object", *QUICK)
    assert given["factors_derived"] is False
    assert list(given["factors"]) == ["object"]


def test_without_features_the_argument_ends_at_the_ladder(run: Run, here: Path) -> None:
    result = result_of(
        run, "--outcomes", here / "outcomes.jsonl", "--factors", "object", "--folds", "study",
    )  # fmt: skip
    assert result["sites"] == {}
    assert result["outcome_kinds"]["names the foil"] > 0
    assert result["strata"]["factors"] == ["object"]
    rungs = result["baselines"]
    assert rungs["factors"]["auroc"] > 0.8
    for name in ("sae_top_k", "sae_all", "residual"):
        assert rungs[name]["auroc"] is None
        assert rungs[name]["reason"].startswith("needs ")


ROWS = records()
Rows = list[dict[str, Any]]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "faultlens: a holds no prompts: expected at least one row"),
        ([{**r, "success": "sometimes"} for r in ROWS],
         "PATH line 1: 'success' is \"sometimes\", expected true or false (or 1 or 0); leave the "
         "column out to have it decided from 'generated'"),
        ([{**ROWS[0], "success": True}, *ROWS[1:]],
         "PATH line 2 has no 'success', but other rows have: give it in all or in none"),
        ([{k: v for k, v in ROWS[0].items() if k != "prompt"}], "PATH line 1 has no 'prompt': it "
         "has 'target', 'foil', 'generated', 'object', 'times'"),
        ([{**ROWS[0], "target": ""}], "PATH line 1: 'target' is \"\", expected a text that is not "
         "empty"),
        ([ROWS[0], {**ROWS[1], "foil": "Ann"}], "PATH line 2: target and foil are both \"Ann\""),
        ([{**ROWS[0], "generated": None}], "PATH line 1 has neither 'generated' nor 'success': "
         "expected at least one"),
    ],
)  # fmt: skip
def test_outcomes_that_cannot_be_read(run: Run, tmp_path: Path, rows: Rows, said: str) -> None:
    path = jsonl(tmp_path / "a.jsonl", rows)
    expected = said.replace("PATH", f"faultlens: {path}")
    assert run("--outcomes", path, "--out", tmp_path / "run") == (2, "", expected)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_an_empty_file(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")
    said = "faultlens: a holds no prompts: expected at least one row"
    assert run("--outcomes", tmp_path / name) == (2, "", said)


ONE_OF_TWO = (
    "faultlens: expected a task to run (ioi, mini-ioi, or a JSONL file) or --outcomes FILE, not "
    "both and not neither"
)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ioi", "--outcomes", "FOLDER/outcomes.jsonl"], ONE_OF_TWO),
        ([], ONE_OF_TWO),
        *((["ioi", option, value],
           f"faultlens: {option} goes with --outcomes: a task that is run is read by itself")
          for option, value in (("--features", "a=b"), ("--residuals", "8=b"),
                                ("--factors", "object"), ("--pooled", "mean"))),
        (["OWN", "--factors", "place"],
         "faultlens: FOLDER/outcomes.jsonl line 1 has no factor 'place': it has object, times"),
        (["OWN", "--strata", "place"],
         "faultlens: no factor 'place' to hold constant: expected one of object, times"),
        (["OWN", "--rule", "vibes"], "faultlens: unknown outcome rule 'vibes': expected one of "
         "exact-word, first-token, named-later, contains, target-over-foil, target-likeliest"),
        (["OWN", "--features", "acts.npy"],
         "faultlens: --features 'acts.npy': expected SITE=FILE, e.g. 6-res-jb=layer06.npz"),
        (["OWN", "--features", "x=no.npy"],
         "faultlens: no file no.npy: expected a matrix (.npy, .npz or .safetensors)"),
        (["OWN", "--features", "x=FOLDER/acts.npy", "--features", "x=FOLDER/acts.npy"],
         "faultlens: --features 'x=FOLDER/acts.npy': x is given twice"),
        (["OWN", "--features", "x=FOLDER/acts.npy", "--pooled", "median"],
         "faultlens: unknown pooling 'median': expected max, mean, sum, last or last-K (e.g. "
         "last-3)"),
        (["OWN", "--residuals", "residuals.npy"],
         "faultlens: --residuals 'residuals.npy': expected LAYER=FILE, e.g. 8=residuals.npy"),
        (["OWN", "--seed", "4294967296"],
         "faultlens: seed 4294967296: expected a whole number from 0 to 2147483647"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_meant(
    run: Run, here: Path, arguments: list[str], said: str
) -> None:
    own = ["--outcomes", "FOLDER/outcomes.jsonl", *QUICK]
    whole = [part for word in arguments for part in (own if word == "OWN" else [word])]
    called = [word.replace("FOLDER", str(here)) for word in whole]
    assert run(*called) == (2, "", said.replace("FOLDER", str(here)))


@pytest.mark.parametrize(
    ("matrix", "as_features", "as_residuals"),
    [
        (features()[:-1], "has 59 rows, but there are 60 texts",
         "has 59 rows, but there are 60 prompts"),
        (np.where(features() == 0, np.nan, 1), "holds NaN or infinite values: expected numbers",
         "holds NaN or infinite values: expected numbers"),
        (np.where(features() == 0, np.inf, 1), "holds NaN or infinite values: expected numbers",
         "holds NaN or infinite values: expected numbers"),
        (features() - 1, "holds negative values: expected activations, which are >= 0", None),
        (features()[:, :0], "has shape (60, 0): expected [texts, features]",
         "has shape (60, 0): expected [texts, features]"),
        (features().astype(str), "holds values of type <U32: expected numbers",
         "holds values of type <U32: expected numbers"),
    ],
    ids=["rows", "nan", "infinite", "negative", "no columns", "words"],
)  # fmt: skip
def test_matrices_that_do_not_fit(
    run: Run, here: Path, matrix: np.ndarray, as_features: str, as_residuals: str | None
) -> None:
    path = here / "bad.npy"
    np.save(path, matrix)
    own = ("--outcomes", here / "outcomes.jsonl", *QUICK, "--out", here / "run")
    said = f"faultlens: {path} "
    assert run(*own, "--features", f"8={path}") == (2, "", said + as_features)
    if as_residuals is not None:
        assert run(*own, "--residuals", f"8={path}") == (2, "", said + as_residuals)
    assert not (here / "run").exists()


def test_a_file_that_is_no_matrix(run: Run, here: Path) -> None:
    for name in ("a.npy", "a.npz", "a.safetensors"):
        (here / name).write_bytes(b"\x93NUMPY no matrix")
        code, out, said = run(
            "--outcomes", here / "outcomes.jsonl", "--features", f"8={here / name}"
        )
        assert (code, out) == (2, "")
        assert said.startswith(f"faultlens: {here / name} cannot be read as .npy, .npz or .safeten")


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (features() - 1, "table 8 holds negative values: expected activations, which are >= 0"),
        (features() * np.float32(1e35), "table 8 holds values beyond ±1e30"),
        (features()[:, :0], r"table 8 has shape \(60, 0\): expected \[texts, features\]"),
    ],
)
def test_tables_in_memory_meet_the_same_conditions(
    here: Path, matrix: np.ndarray, message: str
) -> None:
    answers = fl.read_answers(here / "outcomes.jsonl")
    table = FeatureTable("8", csr_matrix(matrix), pd.DataFrame({"text": [""] * N}), {})
    with pytest.raises(fl.UserError, match=message):
        fl.audit({"8": table}, answers, baselines=False)


def test_residuals_in_memory_meet_the_same_conditions(here: Path) -> None:
    answers = fl.read_answers(here / "outcomes.jsonl")
    for matrix, message in (
        (np.full((N, 2), np.nan), "the residual matrix 8 holds NaN or infinite values"),
        (np.ones(N), r"the residual matrix 8 has shape \(60,\)"),
        (np.ones((3, 2)), "the residual matrix 8 has 3 rows, but there are 60 prompts"),
    ):
        with pytest.raises(fl.UserError, match=message):
            fl.audit(None, answers, residuals={"8": matrix})
    task = Task("t", (Prompt("p", "Ann"),))
    with pytest.raises(fl.UserError, match="residuals go with answers: a task that is run is read"):
        fl.audit(None, task, residuals={"8": np.ones((1, 1))})
    with pytest.raises(fl.UserError, match="a task is run by a model: give a lens"):
        fl.audit(None, task)


@pytest.mark.parametrize(("failures", "successes"), [(0, 60), (60, 0), (4, 56), (57, 3), (1, 0)])
def test_too_few_of_one_outcome_is_a_verdict(
    run: Run, here: Path, failures: int, successes: int
) -> None:
    n = failures + successes
    rows = [{**r, "success": i >= failures} for i, r in enumerate(records()[:n])]
    np.save(here / "few.npy", features()[:n])
    folder = here / "run"
    code, _, said = run(
        "--outcomes", jsonl(here / "a.jsonl", rows), "--features", f"8={here / 'few.npy'}",
        "--out", folder,
    )  # fmt: skip
    assert (code, said) == (0, "")
    data = strict((folder / "audit.json").read_text())
    assert (data["verdict"], data["verdict_kind"]) == ("UNDERPOWERED", "UNDERPOWERED")
    assert data["sentence"] == (
        f"{failures} failures and {successes} successes, and at least 5 of each are needed"
    )
    assert (data["sites"], data["baselines"], data["strata"]) == ({}, None, None)
    assert data["outcome_kinds"].get("success", 0) == successes
    assert "UNDERPOWERED" in (folder / "report.html").read_text()


def test_what_a_reader_should_know_of_the_input_is_said(run: Run, here: Path) -> None:
    """Repeated prompts, empty continuations, factors with one level or one for each prompt."""
    rows = [{**r, "prompt": "the same" if i < 4 else r["prompt"], "constant": "c", "id": f"no. {i}"}
            for i, r in enumerate(records())]  # fmt: skip
    rows[0]["generated"] = ""
    result = result_of(run, "--outcomes", jsonl(here / "a.jsonl", rows), *QUICK)
    assert [warning.split(":")[0] for warning in result["warnings"]] == [
        "3 of 60 prompts repeat another word for word",
        "1 of 60 continuations are empty",
    ]
    assert result["factors_left_out"] == {
        "constant": "one level only",
        "id": "every level on fewer than 5 prompts",
    }
    assert list(result["factors"]) == ["object", "times"]
    code, _, said = run("--outcomes", here / "a.jsonl", "--strata", "constant", *QUICK)
    assert code == 2
    assert said.startswith("faultlens: no factor 'constant' to hold constant")


def test_prompts_are_grouped_by_a_column_or_by_their_own_field(run: Run, here: Path) -> None:
    rows = [{**r, "document": f"d{i // 3}"} for i, r in enumerate(records())]
    named = result_of(
        run, "--outcomes", jsonl(here / "a.jsonl", rows), "--groups", "document", *QUICK
    )
    assert named["groups"] == {
        "columns": ["document"], "groups": 20, "grouped": 60, "largest": 3, "repeated": 0,
        "nearly": 0,
    }  # fmt: skip
    rows = [{**r, "groups": {"document": f"d{i // 3}"}} for i, r in enumerate(records())]
    own = jsonl(here / "b.jsonl", rows)
    assert result_of(run, "--outcomes", own, *QUICK)["groups"] == named["groups"]
    alone = result_of(run, "--outcomes", own, "--groups", "none", *QUICK)
    assert (alone["groups"]["groups"], alone["groups"]["columns"]) == (60, [])
    code, _, said = run("--outcomes", own, "--groups", "documnet", *QUICK)
    assert code == 2
    assert said == (
        "faultlens: no column 'documnet' to group prompts by: expected none, or one or more of "
        "object, times, document"
    )
    rows[4]["groups"] = "d1"
    wrong = jsonl(here / "c.jsonl", rows)
    code, _, said = run("--outcomes", wrong, *QUICK)
    assert code == 2
    assert said == f"faultlens: {wrong} line 5: 'groups' is \"d1\", expected an object"


@pytest.mark.parametrize("matrix", [np.zeros((N, 4)), features()[:, [9]]])
def test_features_that_never_fire_are_refused(run: Run, here: Path, matrix: np.ndarray) -> None:
    np.save(here / "flat.npy", matrix)
    code, out, said = run(
        "--outcomes", here / "outcomes.jsonl", "--features", f"8={here / 'flat.npy'}", *QUICK
    )
    assert (code, out) == (2, "")
    assert said.endswith("no feature of 8 fires on any prompt: expected activations above 0")


def test_features_that_tell_nothing(run: Run, here: Path) -> None:
    matrix, tested = np.ones((N, 4)), 4
    np.save(here / "flat.npy", matrix)
    result = result_of(
        run, "--outcomes", here / "outcomes.jsonl", "--features", f"8={here / 'flat.npy'}",
        "--permutations", "99", "--folds", "study",
    )  # fmt: skip
    site = result["sites"]["8"]
    assert site["tested"] == tested
    assert set(site["significant"].values()) == {0}
    assert [c["verdict"] for c in site["classes"]] == ["UNDERPOWERED"] * (tested > 0)
    assert result["baselines"]["sae_all"]["auroc"] == 0.5, "every prompt gets one score"


def test_labels_stand_beside_features_in_the_run(run: Run, here: Path) -> None:
    labels = here / "labels.csv"
    labels.write_text("feature,label\n8-res-x/7,follows failure\n8-res-x/29,unused\n")
    folder = here / "run"
    code, out, said = run(
        "--outcomes", here / "outcomes.jsonl", "--features", f"8-res-x={here / 'acts.npy'}",
        *QUICK, "--labels", labels, "--out", folder,
    )  # fmt: skip
    assert (code, said) == (0, "")
    assert "“follows failure”" in out
    table = pd.read_parquet(folder / "tables" / "features.parquet").set_index("feature")
    assert table.loc[7, "label"] == "follows failure" and table["label"].isna().sum() >= 26
    kept = pd.read_parquet(folder / "tables" / "labels.parquet")
    assert kept.to_dict("list") == {
        "feature": ["8-res-x/7", "8-res-x/29"], "label": ["follows failure", "unused"]
    }  # fmt: skip
    page = folder / "report.html"
    assert "“follows failure”" in page.read_text(encoding="utf-8")
    manifest = strict((folder / "manifest.json").read_text())
    assert manifest["inputs"]["labels"] == file_digest(labels)
    assert "follows failure" not in (folder / "audit.json").read_text(), "it is no evidence"
    code, _, said = run(
        "--outcomes", here / "outcomes.jsonl", "--features", f"6-res-x={here / 'acts.npy'}",
        *QUICK, "--labels", labels,
    )  # fmt: skip
    assert (code, said) == (
        2,
        f"faultlens: {labels} has labels of 8-res-x, and the dictionaries are 6-res-x: expected "
        "labels of one of them",
    )
