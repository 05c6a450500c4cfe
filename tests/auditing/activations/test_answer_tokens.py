"""Tokens of answers: they read as the answer and nothing else, or are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

import faultlens as fl
from faultlens.auditing.activations.task_tokens import tokenize
from faultlens.corpus.task import Prompt, Task
from faultlens.errors import UserError
from faultlens.models.model import Model

SAID = ["Mary gave the keys to Tom.", "the year 1742 to 1743", "total = sum(data[row])"] * 30


def sentence_piece(scheme: str, byte_fallback: bool) -> PreTrainedTokenizerFast:
    """As Llama 2's: "▁" for a space, one before every text."""
    special = ["<unk>", "<s>", "</s>"]
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=byte_fallback, fuse_unk=True))
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme)
    made.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    bytes_ = [f"<0x{i:02X}>" for i in range(256)] if byte_fallback else []
    trainer = trainers.BpeTrainer(
        vocab_size=450, special_tokens=special + bytes_, show_progress=False
    )
    made.train_from_iterator(SAID, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


@pytest.fixture(scope="module")
def mini() -> Model:
    return fl.load("mini", layers=[3]).model


@pytest.fixture(scope="module", params=["first", "always"])
def spacing(request: pytest.FixtureRequest, mini: Model) -> Model:
    """A model whose tokenizer puts a space before every text."""
    return replace(mini, tokenizer=sentence_piece(request.param, True), start="bos")


ANSWERS = [
    Prompt("the ke", "ys", "y", separator=""),  # the case that was scored as " ys"
    Prompt("total = sum(data[row", "])", "))", separator=""),
    Prompt("the year 17", "43", "42", accepted=("44",), separator=""),
    Prompt("Mary gave the keys to", "Tom", "Mary"),
    Prompt("Mary gave the keys to ", "Tom", "Mary", separator=""),
    Prompt("a line\n", "Tom", "Mary", separator=""),
    Prompt("法国的首都是", "巴黎", "里昂", separator=""),  # in bytes, a character split at the end
    Prompt("Tom’s", "日本", "Mary"),
]


@pytest.mark.parametrize("prompt", ANSWERS, ids=lambda prompt: prompt.text)
def test_tokens_read_as_prompt_and_answer(spacing: Model, prompt: Prompt) -> None:
    tokens = tokenize(Task("t", (prompt,)), spacing)
    alone = spacing.tokenizer.decode(tokens.rows[0][1:])
    assert alone == prompt.text
    for answer, ids in ((prompt.target, tokens.answers[0]), (prompt.foil, tokens.foils[0])):
        whole = spacing.tokenizer.decode([*tokens.rows[0][1:], *ids])
        assert whole == f"{prompt.text}{prompt.separator}{answer}"


def test_the_answer_is_scored_without_a_space_that_is_not_there(spacing: Model) -> None:
    tokens = tokenize(Task("t", (ANSWERS[0],)), spacing)
    names = spacing.tokenizer.convert_ids_to_tokens(tokens.answers[0])
    assert names == ["y", "s"]
    assert spacing.tokenizer.tokenize("ys")[0].startswith("▁"), "tokenized alone it gets one"


def test_an_answer_that_no_tokens_read_as_is_refused(mini: Model) -> None:
    """Without byte fallback a character that the vocabulary has not is "<unk>"."""
    model = replace(mini, tokenizer=sentence_piece("first", byte_fallback=False))
    with pytest.raises(UserError) as refused:
        tokenize(Task("t", (Prompt("Mary gave the keys to", "Tom", "Жан"),)), model)
    assert str(refused.value) == (
        "the answer 'Жан' has no tokens of its own behind prompt 'Mary gave the keys to' "
        "(separator ' '): this model's tokenizer has none that read exactly ' Жан' there; end the "
        "prompt at another place, or write the answer otherwise"
    )
