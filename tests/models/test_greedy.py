"""Greedy decoding is the most probable token at each step, whatever generation_config.json says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from faultlens.errors import UserError
from faultlens.mini import LANGUAGE_MODEL
from faultlens.models.load import load_model
from faultlens.models.model import Model

pytestmark = pytest.mark.usefixtures("one_thread")
PROMPTS = ["Ann and Tom went to the park. Ann gave the book to", "Once there was", "def total("]
NEW = 6


def copied(folder: Path, settings: dict[str, Any], config: dict[str, Any] | None = None) -> Model:
    """`mini` in a folder of its own, with these settings in generation_config.json."""
    target = folder / "model"
    shutil.copytree(LANGUAGE_MODEL, target)
    for name, fields in (("generation_config.json", settings), ("config.json", config or {})):
        path = target / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    return load_model(str(target))


def rows_of(model: Model) -> list[list[int]]:
    return [[model.bos_id, *model.ids(prompt)] for prompt in PROMPTS]


def most_probable(model: Model, row: list[int], ends: set[int]) -> list[int]:
    """Token by token from whole passes: what greedy decoding means."""
    grown = list(row)
    for _ in range(NEW):
        token = int(model.logits(model.pad([grown]))[0, -1].argmax())
        if token in ends:
            break
        grown.append(token)
    return grown[len(row) :]


@pytest.fixture(scope="module")
def greedy() -> list[list[int]]:
    mini = load_model("mini")
    return [most_probable(mini, row, {mini.bos_id}) for row in rows_of(mini)]


def first_tokens(greedy: list[list[int]]) -> list[int]:
    return [ids[0] for ids in greedy if ids]


@pytest.mark.parametrize(
    "settings",
    [
        {"repetition_penalty": 5.0},
        {"no_repeat_ngram_size": 1},
        {"num_beams": 3, "early_stopping": True},
        {"num_beams": 4, "num_return_sequences": 2},
        {"do_sample": True, "temperature": 5.0, "top_k": 3},
        {"min_new_tokens": 6},
        {"max_length": 3, "max_new_tokens": 2},
        {"stop_strings": ["."]},
        {"forced_eos_token_id": 5},
        {"forced_bos_token_id": 7},
        {"guidance_scale": 2.0},
        {"penalty_alpha": 0.6, "top_k": 4},
        {"exponential_decay_length_penalty": [1, 9.0]},
        {"sequence_bias": [[[9], 50.0]]},
        {"cache_implementation": "static"},
        {"use_cache": False},
        {"prompt_lookup_num_tokens": 2},
        {"output_scores": True, "return_dict_in_generate": True},
        {"renormalize_logits": True, "token_healing": True},
    ],
    ids=lambda settings: next(iter(settings)),
)  # fmt: skip
def test_no_setting_of_the_models_file_counts(
    tmp_path: Path, greedy: list[list[int]], settings: dict[str, Any]
) -> None:
    model = copied(tmp_path, settings)
    assert model.generate(rows_of(model), NEW) == greedy


@pytest.mark.parametrize("name", ["suppress_tokens", "begin_suppress_tokens", "bad_words_ids"])
def test_no_token_is_forbidden(tmp_path: Path, greedy: list[list[int]], name: str) -> None:
    """The very tokens that are most probable: a setting that counted would change the answer."""
    tokens = sorted(set(first_tokens(greedy)))
    assert tokens
    model = copied(tmp_path, {name: [[t] for t in tokens] if name == "bad_words_ids" else tokens})
    found = model.continuations(rows_of(model), NEW)
    assert found.ids == greedy
    assert found.first_logits.isfinite().all()


def test_the_end_of_the_text_is_the_files(tmp_path: Path, greedy: list[list[int]]) -> None:
    end = first_tokens(greedy)[0]
    model = copied(tmp_path, {"eos_token_id": [end, 1]})
    rows = rows_of(model)
    found = model.generate(rows, NEW)
    assert found == [most_probable(model, row, {end, 1}) for row in rows]
    assert found != greedy


def test_the_end_is_config_jsons_where_the_file_names_none(
    tmp_path: Path, greedy: list[list[int]]
) -> None:
    end = first_tokens(greedy)[0]
    model = copied(tmp_path, {"eos_token_id": None}, {"eos_token_id": end})
    rows = rows_of(model)
    assert model.generate(rows, NEW) == [most_probable(model, row, {end}) for row in rows]


def test_the_models_own_settings_are_back_afterwards(tmp_path: Path) -> None:
    model = copied(tmp_path, {"repetition_penalty": 5.0})
    own = model.network.generation_config
    model.generate(rows_of(model), 1)
    assert model.network.generation_config is own
    assert own.repetition_penalty == 5.0


def test_an_end_that_is_no_token_is_refused() -> None:
    model = load_model("mini")
    own = model.network.generation_config.eos_token_id
    model.network.generation_config.eos_token_id = "</s>"
    try:
        with pytest.raises(
            UserError,
            match=r"eos_token_id = '</s>' in its configuration, expected a token id, from 0 to "
            "3071, or a list of them",
        ):
            model.generate([[0, 5]], 1)
    finally:
        model.network.generation_config.eos_token_id = own


def test_the_unembedding_reads_rows_that_lie_together() -> None:
    """Otherwise PyTorch multiplies them row by row, ten times as slow."""
    model, together = load_model("mini"), []
    handle = model.network.get_output_embeddings().register_forward_hook(
        lambda head, args, logits: together.append(args[0].is_contiguous())
    )
    model.generate(rows_of(model), 2)
    handle.remove()
    assert together == [True, True]
    assert not model.network.get_output_embeddings()._forward_pre_hooks, "it is taken away again"
