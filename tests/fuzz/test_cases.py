"""The cases that were handed over: each was a wrong number, a lost word or a traceback.

They are read where they lie, beside the reference data, and each makes its models in a scratch
folder. What is right is what the README beside each says. Those on validity are simulations of many
data sets, and are tested with the statistics.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from attempts import Case, Ending, attempt, faults

import faultlens as fl
from faultlens.errors import UserError

READ = ("--model", "model", "--sae", "sae")

# The makers leave their files to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(scope="module")
def cases(reference_data: Path) -> Path:
    """The folder of the cases; where there is none the tests are skipped, in CI they fail."""
    folder = reference_data.parent / "cases"
    if folder.is_dir():
        return folder
    reason = f"no folder {folder}: expected the cases beside the reference data"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A scratch folder; what the makers change of the process is put back."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # as the command line does, before it imports transformers
    logging.set_verbosity_error()
    threads, paths = torch.get_num_threads(), list(sys.path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    torch.set_num_threads(threads)
    sys.path[:] = paths


@pytest.fixture
def factory(cases: Path, here: Path, imported: Callable[[Path], ModuleType]) -> ModuleType:
    """The makers of tiny models, tokenizers and dictionaries that the cases share."""
    return imported(cases / "factory.py")


def make(case: Path) -> None:
    """Run a case's maker in the scratch folder."""
    runpy.run_path(str(case / "make.py"))


def run(here: Path, *arguments: str | Path) -> Ending:
    """How a command ends in the scratch folder: well, or in one sentence."""
    case = Case("case", tuple(map(str, arguments)))
    ending = attempt(case, here)
    assert faults(case, ending) == []
    return ending


def refusal(here: Path, *arguments: str | Path) -> str:
    ending = run(here, *arguments)
    assert ending.code == 2, ending.out[:500]
    return ending.err.splitlines()[-1].removeprefix("faultlens: ")


def result(here: Path, *arguments: str | Path) -> Any:
    """The JSON of a command that is done."""
    ending = run(here, *arguments, "--json")
    assert ending.code == 0, ending.err
    return json.loads(ending.out)


def test_added_tokens_without_rows_in_the_embedding_are_a_sentence(cases: Path, here: Path) -> None:
    make(cases / "added-tokens")
    corpus = cases / "added-tokens" / "added.jsonl"
    assert "token" in refusal(here, "profile", corpus, *READ, "--no-fit-check")


@pytest.mark.parametrize("file", ["zh.jsonl", "nfd.jsonl"])
def test_right_answers_in_any_script_and_form_are_right(cases: Path, here: Path, file: str) -> None:
    path = cases / "answers-without-spaces" / file
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def composed(text: str) -> str:
        return unicodedata.normalize("NFC", text).strip()

    right = sum(composed(r["generated"]).startswith(composed(r["target"])) for r in rows)
    assert 0 < right < len(rows), "else a constant would do"
    found = result(here, "audit", "--outcomes", path, "--no-baselines", "--permutations", "99")
    assert found["n"] == len(rows)
    assert found["n"] - found["failures"] == right


def test_the_tokens_of_an_answer_read_as_the_answer(factory: ModuleType, here: Path) -> None:
    from faultlens.auditing.activations.task_tokens import tokenize
    from faultlens.corpus.task import Prompt, Task

    factory.llama("model", factory.sp_tok())
    factory.sae("sae")
    model = fl.load("model", sae="sae").model
    pieces = model.tokenizer.convert_ids_to_tokens
    for prompt in (
        Prompt("the ke", "ys", "y", separator=""),
        Prompt("total = sum(data[row", "])", "))", separator=""),
    ):
        try:
            tokens = tokenize(Task("t", (prompt,)), model)
        except UserError:
            continue  # a refusal is right as well
        assert "".join(pieces(tokens.answers[0])) == prompt.target


@pytest.mark.parametrize("sae", ["sae1", "sae2"])
def test_float16_that_overflows_is_a_sentence_everywhere(cases: Path, here: Path, sae: str) -> None:
    make(cases / "float16-overflow")
    texts, task = (cases / "float16-overflow" / name for name in ("t.jsonl", "task.jsonl"))
    given = ("--model", "model", "--sae", sae, "--dtype", "float16")
    for command in (
        ("doctor", *given),
        ("read", texts, *given, "--no-fit-check", "--out", "store"),
        ("audit", task, *given, "--no-fit-check", "--no-baselines"),
    ):
        said = refusal(here, *command)
        assert "float16" in said and ("float32" in said or "bfloat16" in said), said
    assert not (here / "store").exists()


@pytest.mark.parametrize("name", ["suppress", "badwords", "stop"])
def test_decoding_is_plain_whatever_generation_config_says(
    cases: Path, here: Path, name: str
) -> None:
    from faultlens.mini import SAES

    make(cases / "generation-config")
    given = (
        "audit", cases / "generation-config" / "plain.jsonl", "--sae", SAES, "--layers", "3",
        "--no-fit-check", "--no-baselines", "--permutations", "99", "--test-classes", "0",
        "--test-attributed", "0", "--model",
    )  # fmt: skip
    plain, odd = (result(here, *given, f"mini_{which}") for which in ("plain", name))
    said = [[outcome["generated"] for outcome in found["outcomes"]] for found in (plain, odd)]
    assert said[0] == said[1] and any(said[0])


def test_a_dictionary_that_rebuilds_massive_tokens_only_does_not_fit(
    cases: Path, here: Path
) -> None:
    make(cases / "high-norm-token")
    assert "unexplained" in refusal(here, "doctor", *READ)


def test_a_literal_bos_is_not_pooled(cases: Path, here: Path) -> None:
    given = ("--layers", "3", "--no-fit-check", "--permutations", "199")
    double, plain = (
        result(here, "profile", cases / "literal-bos" / f"{name}.jsonl", *given)
        for name in ("double", "plain")
    )

    def specialists(found: Any) -> dict[str, str]:
        of = found["sites"]["3-res-mini"]["categories"]
        return {category: reading["specialist"]["feature"] for category, reading in of.items()}

    def most_selective(found: Any) -> dict[str, str]:
        of = found["sites"]["3-res-mini"]["categories"]
        return {category: reading["selectivity"]["feature"] for category, reading in of.items()}

    assert most_selective(double)["people"] == "3-res-mini/432", "and not BOS's own, 1210"
    assert specialists(double) == specialists(plain)
    assert most_selective(double) == most_selective(plain)
    assert any("begin with BOS" in said for said in double["warnings"])
    assert not any("begin with BOS" in said for said in plain["warnings"])


def test_an_adapter_beside_the_weights_is_named(factory: ModuleType, here: Path) -> None:
    model = factory.llama("model", factory.byte_tok())
    factory.sae("sae", hook="blocks.2.hook_resid_pre")
    assert model is not None
    (here / "model" / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    (here / "model" / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match="adapter"):
        fl.load("model", sae="sae")


def test_a_tokenizer_without_bos_and_eos_is_a_sentence(cases: Path, here: Path) -> None:
    make(cases / "no-bos-no-eos")
    assert "BOS" in refusal(here, "doctor", *READ)
    run(here, "doctor", "--model", "model", "--sae", "sae_nobos")


def test_levels_that_are_one_number_are_one_level(cases: Path, here: Path) -> None:
    path = cases / "number-levels" / "outcomes.jsonl"
    found = result(here, "audit", "--outcomes", path, "--no-baselines", "--permutations", "99")
    levels = list(found["factors"]["depth"])
    assert len({float(level) for level in levels}) == len(levels) > 1


def test_a_folder_of_sparsify_is_not_answered_with_advice_that_cannot_help(
    cases: Path, here: Path
) -> None:
    make(cases / "sparsify-folder")
    ending = run(here, "doctor", "--model", "model", "--sae", "layers.1")
    assert "did you mean activation_fn" not in ending.err


def test_the_tokenizer_is_the_folders_own(factory: ModuleType, here: Path) -> None:
    from tokenizers import Tokenizer
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tok = factory.byte_tok()
    factory.sae("sae")
    factory.llama("llama", tok)
    path = here / "llama" / "tokenizer_config.json"
    config = {**json.loads(path.read_text()), "tokenizer_class": "LlamaTokenizerFast"}
    config.pop("backend", None)
    path.write_text(json.dumps(config))
    qwen = Qwen2Config(
        vocab_size=len(tok), hidden_size=32, intermediate_size=64, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256, bos_token_id=0,
        eos_token_id=1,
    )  # fmt: skip
    Qwen2ForCausalLM(qwen).save_pretrained("qwen2")
    tok.save_pretrained("qwen2")
    text = "Mary gave the keys to Tom, in the year 1742."
    for name in ("llama", "qwen2"):
        own = Tokenizer.from_file(f"{name}/tokenizer.json").encode(text, add_special_tokens=False)
        try:
            model = fl.load(name, sae="sae").model
        except UserError:
            continue  # a refusal is right as well
        assert list(model.ids(text))[-len(own.ids) :] == own.ids


@pytest.mark.parametrize("sae", ["topk", "topk_rescaled"])
def test_decoder_rows_of_zeros_make_no_nan(cases: Path, here: Path, sae: str) -> None:
    make(cases / "zero-decoder-row")
    shown = run(here, "doctor", "--model", "model", "--sae", sae)
    assert "nan" not in (shown.out + shown.err).lower()
    read = run(
        here, "tokens", "Mary gave the keys", "--feature", "1/3", "--model", "model", "--sae", sae,
        "--no-fit-check",
    )  # fmt: skip
    assert read.code == 0, read.err
