"""Every mistake a user can make: one sentence, exit code 2, nothing left behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from safetensors.torch import load_file, save_file

from faultlens.mini import SAES
from tests.cli.calling import run

TWO = '{"text": "x = 1", "category": "A"}\n{"text": "hello there", "category": "B"}\n'


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    lines = [line for line in err.splitlines() if line.startswith("faultlens: ")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0].removeprefix("faultlens: ")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    path.write_text(TWO)
    return path


def test_a_missing_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "run"
    message = refused(capsys, "profile", tmp_path / "no.jsonl", "--out", out)
    assert message == (
        f"no file {tmp_path / 'no.jsonl'}: expected a JSONL file, one object a line, or a .csv, "
        ".tsv or .parquet table"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TWO + "{bad\n", "line 3 is not JSON"),
        ("", "is empty: expected at least one text a category"),
        (TWO.splitlines()[0], "has only the category 'A': a profile compares at least two"),
        (TWO + '{"text": "", "category": "B"}', "line 3: 'text' is \"\", expected a text"),
        (
            TWO + json.dumps({"text": "word " * 600, "category": "B"}),
            "choose --long split or --long truncate",
        ),
    ],
)
def test_a_corpus_that_cannot_be_read(
    capsys: pytest.CaptureFixture[str], corpus: Path, content: str, message: str
) -> None:
    corpus.write_text(content)
    out = corpus.parent / "run"
    assert message in refused(capsys, "profile", corpus, "--no-fit-check", "--out", out)
    assert sorted(p.name for p in corpus.parent.iterdir()) == ["corpus.jsonl"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "nowhere/nothing"], "model 'nowhere/nothing' needs dictionaries: name them"),
        (
            ["--model", "nowhere/nothing", "--sae", "mini"],
            "model 'nowhere/nothing' is not in the local Hugging Face cache and the hub cannot be",
        ),
        (["--sae", "no-such-folder"], "no dictionaries called 'no-such-folder'"),
        (
            ["--model", "./no/folder", "--sae", "mini"],
            "no file or folder ./no/folder: expected 'mini'",
        ),
        (["--convention", "upright"], "unknown convention 'upright': expected centred, raw, bos"),
        (["--convention", "folded"], "convention 'folded' means nothing for 2-res-mini at"),
        (["--convention", "factor=-1"], "convention 'factor=-1': expected factor=NUMBER"),
        (["--device", "quantum"], "device 'quantum' cannot be used: expected cpu, cuda"),
        (["--release", "gpt2-small-res-jb"], "no folder mini: expected one that holds weights of"),
        (["--layers", "9"], "dictionaries 'mini' have no layer 9 at resid_pre: expected one of 2"),
        (["--layers", "two"], "--layers 'two': expected a list (2,3), a range (2-5) or all"),
        (["--layers", "5-2"], "--layers '5-2': a range runs from low to high"),
        (["--layers", "1-999999999"], "is 999,999,999 numbers: expected at most 10,000"),
        (
            ["--sites", "resid_pst"],
            "unknown site 'resid_pst': expected one of resid_pre, z, attn_out",
        ),
        (["--pooling", "median"], "unknown pooling 'median': expected max, mean, sum, last"),
        (["--features", "3-res-x=x.npy"], "--features needs --pooled"),
        (["--features", "x.npy", "--pooled", "max"], "--features 'x.npy': expected SITE=FILE"),
        (["--label", "kind"], "line 1 has no 'kind': it has 'text', 'category'"),
    ],
)
def test_options_that_cannot_be_meant(
    capsys: pytest.CaptureFixture[str], corpus: Path, options: list[str], message: str
) -> None:
    assert message in refused(capsys, "profile", corpus, *options)


@pytest.mark.parametrize(
    "option",
    [
        "--model mini",
        "--sae mini",
        "--layers 3",
        "--sites all",
        "--release x",
        "--convention raw",
        "--device cpu",
        "--dtype float32",
        "--revision main",
        "--trust-pickle",
        "--no-fit-check",
        "--pooling mean",
        "--long split",
    ],
)
def test_what_says_how_to_read_is_refused_beside_what_was_read(
    capsys: pytest.CaptureFixture[str], corpus: Path, option: str
) -> None:
    """Even with the value that it has by default: whoever writes it thinks that it does a thing."""
    given = option.split()
    brought = ["--features", "6-x=a.npy", "--pooled", "max"]
    message = refused(capsys, "profile", corpus, *brought, *given)
    flag = given[0]
    expected = (
        "{} says what a model reads or does, and beside {} none is run: leave out one of them"
    )
    assert message == expected.format(flag, "--features")
    message = refused(capsys, "audit", "--outcomes", "no.jsonl", *given)
    if flag in ("--model", "--sae"):  # then the prompts are read through a model
        assert message.startswith("no file no.jsonl")
    elif flag != "--long":
        assert message == expected.format(flag, "--outcomes")


def test_how_matrices_were_pooled_is_refused_without_them(
    capsys: pytest.CaptureFixture[str], corpus: Path
) -> None:
    expected = "--pooled says how the matrices of --features were pooled: give those too"
    assert refused(capsys, "profile", corpus, "--pooled", "mean") == expected
    assert refused(capsys, "audit", "--outcomes", "no.jsonl", "--pooled", "mean") == expected
    for option in ("-n", "--task-seed", "--test-classes", "--test-attributed", "--seeds"):
        value = "3,4" if option == "--seeds" else "3"
        message = refused(capsys, "audit", "--outcomes", "no.jsonl", option, value)
        assert message.startswith(option)
        assert "and beside --outcomes none is run: leave out one of them" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["audit", "no-task"], "no task or file 'no-task': expected one of agreement, brackets"),
        (["audit", "no.jsonl"], "no file no.jsonl"),
        (["audit", "mini-ioi", "--rule", "vibes"], "unknown outcome rule 'vibes': expected one"),
        (["audit", "mini-ioi", "--layers", "9"], "'mini' have no layer 9 at resid_pre: expected"),
        (["audit", "mini-ioi", "--sites", "resid_mid"], "have no site 'resid_mid': expected one"),
        (
            ["audit", "mini-ioi", "--seeds", "0,x"],
            "--seeds '0,x': expected a list (2,3) or a range (2-5)",
        ),
        (
            ["audit", "mini-ioi", "--seeds", "0,1", "--task-seed", "3"],
            "--task-seed goes with one set of prompts: the seeds are those of --seeds",
        ),
        (["tokens", "hello", "--feature", "17"], "--feature '17': expected LAYER/INDEX"),
        (["tokens", "hello", "--feature", "3/99999"], "3-res-mini has the features 0 to 1535"),
        (["tokens", "", "--feature", "3/1", "--no-fit-check"], "text 1 has no tokens"),
        (["tokens", "--feature", "3/1"], "nothing to read: expected a text, or a corpus"),
        (["tokens", "--feature", "3/1", "--corpus", "no.jsonl"], "no file no.jsonl"),
        (["tokens", "hi", "--feature", "3/1", "--long", "split"], "say how a corpus is read: give"),
    ],
)
def test_other_commands(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert message in refused(capsys, *arguments)


def test_tokens_reads_a_corpus_with_columns_of_its_own(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text('body,kind\n"Mary met Tom.",chat\n' + f'"{"x = 1. " * 300}",code\n')
    asked = ["tokens", "--feature", "3/5", "--corpus", path, "--text", "body", "--no-fit-check"]
    assert "line 2 has no 'category': it has 'body', 'kind'" in refused(capsys, *asked)
    asked += ["--label", "kind"]
    assert "choose --long split or --long truncate" in refused(capsys, *asked)
    for long in ("split", "truncate"):
        code, out, _ = run(capsys, *asked, "--long", long, "--json")
        assert code == 0
        seen = json.loads(out)["corpus"]
        assert {example["category"] for example in seen["examples"]} <= {"chat", "code"}
        assert seen["tokens"] == fires(path, long)


def test_tokens_says_what_somebody_calls_the_feature(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("feature,label\n3-res-mini/5,people who meet\n")
    asked = ["tokens", "Mary met Tom.", "--feature", "3/5", "--no-fit-check", "--labels", labels]
    code, out, _ = run(capsys, *asked)
    assert (code, out.splitlines()[0]) == (
        0, "3-res-mini/5 is labelled “people who meet” by somebody, which is no evidence"
    )  # fmt: skip
    assert json.loads(run(capsys, *asked, "--json")[1])["label"] == "people who meet"


def fires(path: Path, long: Literal["split", "truncate"]) -> int:
    """Tokens of the corpus on which 3-res-mini/5 fires, by the store of a plain reading."""
    import faultlens as fl
    from faultlens.features.store import ActivationStore

    store = ActivationStore()
    corpus = fl.read_corpus(path, "kind", "body")
    fl.load("mini", layers=[3]).read(corpus.texts, long=long, store=store)
    return len(store.firings("3-res-mini").of(5).text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--length-strata", "2", "--no-fit-check"],
            "2 length strata for 2 texts: expected at least 4 texts",
        ),
        (["--pairs", "no.jsonl"], "no file no.jsonl: expected a JSONL file"),
        (["--features", "6-x=a.npy", "--pairs", "built-in"], "--pairs needs a model to read texts"),
        (["--features", "6-x=a.npy", "--multiverse"], "--multiverse needs a model to read texts"),
        (["--threshold", "nan"], "the threshold is nan: expected a finite number >= 0"),
        (["--multiverse", "--long", "split"], "expected --long error or truncate, got split"),
        (["--text", "body"], "line 1 has no 'body': it has 'text', 'category'"),
    ],
)
def test_what_a_profile_cannot_be_asked(
    capsys: pytest.CaptureFixture[str], corpus: Path, options: list[str], message: str
) -> None:
    assert message in refused(capsys, "profile", corpus, *options)


def test_pairs_are_refused_before_the_work_and_named(
    capsys: pytest.CaptureFixture[str], corpus: Path
) -> None:
    rows = [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]
    path = corpus.parent / "pairs.jsonl"
    lines = [json.dumps({"topic": t, "form": f, "text": "word " * 400}) for t, f in rows]
    path.write_text("\n".join(lines))
    asked = ("profile", corpus, "--pairs", path, "--no-fit-check")
    assert "pairs pairs: text 1 has" in refused(capsys, *asked)
    path.write_text(lines[0])
    assert "topic 'a' has one form" in refused(capsys, *asked)


def test_a_corpus_that_is_no_folder_of_categories(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "stray.txt").write_text("x")
    assert "stray.txt lies in no category" in refused(capsys, "profile", tmp_path)
    assert "names no data set" in refused(capsys, "profile", "hf:a/b/c")


def test_an_audit_whose_prompt_is_too_long(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "long.jsonl"
    path.write_text(json.dumps({"prompt": "word " * 400, "target": "end"}))
    message = refused(capsys, "audit", path, "--no-fit-check", "--out", tmp_path / "run")
    assert "task long: prompt 1 has" in message
    assert "expected at most 256 in all" in message
    assert sorted(p.name for p in tmp_path.iterdir()) == ["long.jsonl"]


@pytest.mark.parametrize("seeds", ["5", "0,1,0"])
def test_seeds_that_say_nothing_of_other_prompts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, seeds: str
) -> None:
    message = refused(
        capsys, "audit", "mini-ioi", "--seeds", seeds, "--no-fit-check", "--out", tmp_path / "run"
    )
    given = [int(seed) for seed in seeds.split(",")]
    assert message == f"seeds {given}: expected two or more, all different"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "option", [("--seeds", "0,1"), ("-n", "300"), ("--task-seed", "0"), ("-n", "5")]
)
def test_options_of_prompts_that_are_as_they_are(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, option: tuple[str, str]
) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"prompt": "Ann met", "target": "Bob"}))
    message = refused(capsys, "audit", path, *option, "--out", tmp_path / "run")
    assert message == (
        f"{option[0]} goes with a built-in task: the prompts of {path} are as they are"
    )
    assert [p.name for p in tmp_path.iterdir()] == ["mine.jsonl"]


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({"target": ""}, "line 2: 'target' is \"\", expected a text that is not empty"),
        ({"target": " "}, "line 2: 'target' is \" \", expected a text that is not empty"),
        ({"target": "Bob", "foil": "Bob"}, 'line 2: target and foil are both "Bob"'),
        ({"target": "Bob", "foil": " Bob"}, 'line 2: target and foil are both "Bob"'),
    ],
)
def test_an_answer_that_cannot_be_scored(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, prompt: dict[str, str], message: str
) -> None:
    path = tmp_path / "mine.jsonl"
    good = {"prompt": "Ann met", "target": "Bob", "foil": "Ann"}
    path.write_text(f"{json.dumps(good)}\n{json.dumps({'prompt': 'Ann met', **prompt})}\n")
    found = refused(capsys, "audit", path, "--out", tmp_path / "run")
    assert found == f"{path} {message}"
    assert [p.name for p in tmp_path.iterdir()] == ["mine.jsonl"]


def test_an_audit_at_a_site_that_the_model_has_not(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "set" / "blocks.9.hook_resid_pre"
    shutil.copytree(SAES / "blocks.2.hook_resid_pre", folder)
    config = json.loads((folder / "cfg.json").read_text())
    config["metadata"]["hook_name"] = "blocks.9.hook_resid_pre"
    (folder / "cfg.json").write_text(json.dumps(config))
    message = refused(
        capsys, "audit", "mini-ioi", "--sae", folder.parent, "--out", tmp_path / "run"
    )
    assert message == "model mini has no site blocks.9.hook_resid_pre: its layers are 0 to 5"
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_a_folder_that_is_no_run_is_not_written_over(
    capsys: pytest.CaptureFixture[str], corpus: Path
) -> None:
    mine = corpus.parent / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    message = refused(capsys, "profile", corpus, "--out", mine, "--overwrite")
    assert message == (
        f"{mine} holds thesis.txt, which no run of FaultLens lists as its own: nothing is "
        "replaced, choose another --out"
    )
    assert (mine / "thesis.txt").read_text() == "years of work"


def test_an_out_that_cannot_be_written_is_refused_before_the_work(
    capsys: pytest.CaptureFixture[str], corpus: Path
) -> None:
    message = refused(capsys, "profile", corpus, "--out", corpus / "run")
    assert message == f"{corpus / 'run'} cannot be written: Not a directory"


def test_half_a_character_is_refused(capsys: pytest.CaptureFixture[str], corpus: Path) -> None:
    corpus.write_text(TWO + '{"text": "cut \\ud83d", "category": "B"}')
    assert "line 3: 'text' holds half of a character" in refused(capsys, "profile", corpus)


def test_a_target_that_the_rule_never_finds(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "cities.jsonl"
    path.write_text(json.dumps({"prompt": "The city is called", "target": "New York"}))
    assert "the target of prompt 1, 'New York', is more than one word" in refused(
        capsys, "audit", path, "--no-fit-check"
    )


def test_a_report_of_a_folder_without_results(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert "holds neither profile.json nor audit.json" in refused(capsys, "report", tmp_path)


@pytest.mark.parametrize(
    "command",
    [["profile", "CORPUS"], ["audit", "mini-ioi"], ["tokens", "Mary met Tom.", "--feature", "2/5"]],
)
def test_every_run_starts_with_the_fit_check(
    capsys: pytest.CaptureFixture[str], corpus: Path, command: list[str]
) -> None:
    """The dictionary of layer 2 with its decoder's directions handed to the wrong features."""
    wrong = corpus.parent / "wrong" / "blocks.2.hook_resid_pre"
    shutil.copytree(SAES / "blocks.2.hook_resid_pre", wrong)
    tensors = load_file(wrong / "sae_weights.safetensors")
    tensors["W_dec"] = tensors["W_dec"].flip(0).contiguous()
    save_file(tensors, wrong / "sae_weights.safetensors")
    arguments = [str(corpus) if word == "CORPUS" else word for word in command]
    message = refused(capsys, *arguments, "--sae", wrong.parent)
    assert "dictionary 2-res-wrong leaves" in message
    assert "give --no-fit-check to go on" in message


def test_a_feature_by_name_loads_its_layer_and_checks_its_dictionary(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from faultlens.cli import tokens
    from faultlens.features.lens import Lens

    loaded, checked = [], []

    def load(*arguments: Any, **options: Any) -> Lens:
        lens = load_lens(*arguments, **options)
        loaded.append([d.name for d in lens.dictionaries])
        return lens

    def check(lens: Lens, progress: object) -> Lens:
        checked.append([d.name for d in lens.dictionaries])
        return lens

    load_lens = tokens.load_lens
    monkeypatch.setattr(tokens, "load_lens", load)
    monkeypatch.setattr(Lens, "checked", check)
    code, out, _ = run(capsys, "tokens", "Mary met Tom.", "--feature", "5-att-mini/5")
    assert code == 0
    assert out.startswith("5-att-mini/5 in 4 tokens")
    assert loaded == [["5-res-mini", "5-att-mini", "5-mlp-mini"]]
    assert checked == [["5-att-mini"]]


def truncate(folder: Path) -> None:
    path = folder / "sae_weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def rename_field(folder: Path) -> None:
    text = (folder / "cfg.json").read_text()
    (folder / "cfg.json").write_text(text.replace("apply_b_dec_to_input", "apply_b_dec_to_inputs"))


def drop_field(folder: Path) -> None:
    config = json.loads((folder / "cfg.json").read_text())
    del config["metadata"]["hook_name"]
    (folder / "cfg.json").write_text(json.dumps(config))


def narrow(folder: Path) -> None:
    config = json.loads((folder / "cfg.json").read_text())
    (folder / "cfg.json").write_text(json.dumps({**config, "d_in": 100}))
    tensors = load_file(folder / "sae_weights.safetensors")
    tensors["W_enc"], tensors["W_dec"] = tensors["W_enc"][:100], tensors["W_dec"][:, :100]
    tensors["b_dec"] = tensors["b_dec"][:100]
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "sae_weights.safetensors")


def spoil(folder: Path) -> None:
    tensors = load_file(folder / "sae_weights.safetensors")
    tensors["b_enc"][7] = float("nan")
    save_file(tensors, folder / "sae_weights.safetensors")


@pytest.mark.parametrize(
    ("harm", "options", "message"),
    [
        (truncate, [], "sae_weights.safetensors cannot be read as safetensors"),
        (rename_field, [], "'apply_b_dec_to_inputs': did you mean 'apply_b_dec_to_input'?"),
        (drop_field, [], "cfg.json names no site: expected metadata.hook_name"),
        (narrow, [], "reads 100 dimensions, but model mini has 192 at blocks.2.hook_resid_pre"),
        (spoil, [], "tensor 'b_enc' has values that are NaN or infinite"),
        (None, ["--sites", "mlp_out"], "have no site 'mlp_out': expected one of resid_pre"),
    ],
)
def test_dictionaries_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    harm: Callable[[Path], None] | None,
    options: list[str],
    message: str,
) -> None:
    folder = tmp_path / "set" / "blocks.2.hook_resid_pre"
    shutil.copytree(SAES / "blocks.2.hook_resid_pre", folder)
    if harm is not None:
        harm(folder)
    assert message in refused(capsys, "doctor", "--sae", folder.parent, *options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("audit", "mini-ioi", "--layers", "3", "--test-features", "3-res-mini/1+4-res-mini/2"),
            "test_features '3-res-mini/1+4-res-mini/2' is of the dictionaries 3-res-mini, "
            "4-res-mini: expected one, for features are changed together at one site; name them "
            "one by one",
        ),
        (
            ("audit", "mini-ioi", "--layers", "3", "--test-features", "3-res-mini/1,,"),
            "--test-features '3-res-mini/1,,' names nothing in one place: expected names with "
            "commas between",
        ),
        (
            ("audit", "--outcomes", "no.jsonl", "--test-features", "3-res-mini/1"),
            "--test-features says what a model reads or does, and beside --outcomes none is run: "
            "leave out one of them",
        ),
    ],
)
def test_features_that_cannot_be_tested(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert refused(
        capsys, *arguments, "--no-fit-check" if "mini-ioi" in arguments else "--json"
    ) == (message)
