"""The tokenizer is the one that tokenizer.json describes, whatever class transformers chooses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers import models as kinds
from transformers import (
    AutoTokenizer,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2ForCausalLM,
)

from faultlens.errors import UserError
from faultlens.models.checkpoints import tokenizer as tokenizers_of_models
from faultlens.models.load import load_model
from tests.models.families import config_of

TEXT = "Mary gave the keys to Tom, in the year 1742. Ann’s naïve café: 你好 😀\n\n  x = [1, 22]"


def byte_level(vocabulary: int = 400) -> PreTrainedTokenizerFast:
    """Byte pairs with whole numbers as words, as a tokenizer.json may have it."""
    made = Tokenizer(kinds.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet,
        show_progress=False,
    )  # fmt: skip
    made.train_from_iterator([TEXT] * 20, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>")


def saved(folder: Path, family: str, tokenizer_class: str | None = None) -> Path:
    """A folder of `family` with a byte-level tokenizer.json."""
    torch.manual_seed(0)
    config = config_of(family)
    config.vocab_size = 400
    kind = {"qwen2": Qwen2ForCausalLM, "llama": LlamaForCausalLM}[family]
    kind(config).save_pretrained(folder)
    byte_level().save_pretrained(folder)
    if tokenizer_class is not None:
        path = folder / "tokenizer_config.json"
        fields = {**json.loads(path.read_text()), "tokenizer_class": tokenizer_class}
        fields.pop("backend", None)
        path.write_text(json.dumps(fields))
    return folder


def of_the_file(folder: Path, text: str) -> list[int]:
    return list(
        Tokenizer.from_file(str(folder / "tokenizer.json"))
        .encode(text, add_special_tokens=False)
        .ids
    )


@pytest.mark.parametrize(
    ("family", "tokenizer_class"),
    [
        ("qwen2", None),
        ("qwen2", "Qwen2Tokenizer"),
        ("llama", "LlamaTokenizerFast"),
        ("llama", None),
    ],
)
def test_ids_are_the_files(tmp_path: Path, family: str, tokenizer_class: str | None) -> None:
    model = load_model(str(saved(tmp_path, family, tokenizer_class)))
    for text in (TEXT, "in 1742", " 1 000 000", "’s", "\n\n\n", "a"):
        ids = model.ids(text)
        assert ids == of_the_file(tmp_path, text)
        assert model.tokenizer.decode(ids) == text
    assert (model.tokenizer.bos_token, model.tokenizer.eos_token) == ("<s>", "</s>")
    assert model.bos_id == 0


def test_transformers_own_choice_differs(tmp_path: Path) -> None:
    """Positive control: the class that it chooses for Qwen 2 splits every number into digits."""
    folder = saved(tmp_path, "qwen2")
    chosen = AutoTokenizer.from_pretrained(folder)
    assert chosen(TEXT, add_special_tokens=False)["input_ids"] != of_the_file(folder, TEXT)


def test_a_tokenizer_that_no_class_reads_as_the_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = saved(tmp_path, "llama")
    monkeypatch.setattr(tokenizers_of_models, "_ids_of_the_file", lambda path: [1, 2, 3])
    with pytest.raises(
        UserError,
        match=re.escape(
            f"model {str(folder)!r}: transformers splits text otherwise than its tokenizer.json "
            "says (class TokenizersBackend); save the tokenizer again with this version of "
            "transformers, or correct tokenizer_class in tokenizer_config.json"
        ),
    ):
        load_model(str(folder))


def test_truncation_and_padding_saved_in_the_file_do_not_count(tmp_path: Path) -> None:
    folder = saved(tmp_path, "llama")
    whole = of_the_file(folder, TEXT)
    made = Tokenizer.from_file(str(folder / "tokenizer.json"))
    made.enable_truncation(max_length=4)
    made.enable_padding(length=64)
    made.save(str(folder / "tokenizer.json"))
    assert load_model(str(folder)).ids(TEXT) == whole


def test_spaces_before_punctuation_are_kept_when_decoding(tmp_path: Path) -> None:
    folder = saved(tmp_path, "llama")
    path = folder / "tokenizer_config.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, "clean_up_tokenization_spaces": True}))
    model = load_model(str(folder))
    for text in ("to the park .", "I do n't", "a , b"):
        assert model.tokenizer.decode(model.ids(text)) == text
