"""What stands in front of a text: what the tokenizer puts there, what it names, what was asked."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from tokenizers.processors import TemplateProcessing

from faultlens.errors import UserError
from faultlens.models import start_token
from faultlens.models.convention import behind, put_in_force
from faultlens.models.dictionaries import load_dictionaries
from faultlens.models.dictionary import Convention
from faultlens.models.load import load_model
from faultlens.models.model import Model
from faultlens.models.start_ids import ids_in_front
from faultlens.models.start_token import start_of

pytestmark = pytest.mark.usefixtures("one_thread")
TURNS = "{% for m in messages %}" + "{{ bos_token + m['content'] }}" + "{% endfor %}"
OPENS = "{{ bos_token }}{% for m in messages %}{{ m['content'] }}{% endfor %}"


@pytest.fixture(scope="module")
def mini() -> Model:
    return load_model("mini")


def with_tokenizer(model: Model, change: Callable[[Any], None]) -> Model:
    """The model with its tokenizer changed."""
    tokenizer = copy.deepcopy(model.tokenizer)
    change(tokenizer)
    return replace(model, tokenizer=tokenizer)


def puts(*tokens: str) -> Callable[[Any], None]:
    """A tokenizer that puts tokens in front of every text."""

    def change(tokenizer: Any) -> None:
        known = [(token, tokenizer.convert_tokens_to_ids(token)) for token in tokens]
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
            single=f"{' '.join(tokens)} $A", special_tokens=known
        )

    return change


def names(bos: str | None, template: str | None = None) -> Callable[[Any], None]:
    """A tokenizer that names a BOS of its own, and puts nothing in front."""

    def change(tokenizer: Any) -> None:
        if bos is not None:
            tokenizer.add_special_tokens({"additional_special_tokens": [bos]})
        tokenizer.bos_token = bos
        tokenizer.chat_template = template

    return change


def test_what_the_tokenizer_puts_in_front_is_the_start_token(mini: Model) -> None:
    one = with_tokenizer(mini, puts("Ġthe"))
    assert start_of(one).ids == (one.tokenizer.convert_tokens_to_ids("Ġthe"),)
    assert start_of(one).reason == "its tokenizer puts it in front of every text"
    assert not start_of(one).losses, "nothing else was tried"
    two = with_tokenizer(mini, puts("Ġthe", "Ġto"))  # as GLM's "[gMASK]<sop>"
    assert start_of(two).ids == tuple(two.tokenizer.convert_tokens_to_ids(["Ġthe", "Ġto"]))


def test_a_token_that_ends_texts_too_stands_in_front_of_them(mini: Model) -> None:
    assert start_of(mini).ids == (mini.bos_id,)
    assert start_of(mini).shown == "<|endoftext|>"
    assert start_of(mini) is start_of(mini), "worked out once"


def known_token(model: Model) -> str:
    """One that the model has an embedding of, to be named BOS."""
    return str(model.tokenizer.convert_ids_to_tokens(1000))


@pytest.mark.parametrize(
    ("template", "ids", "reason"),
    [
        (None, (), "its tokenizer puts nothing there, although it names {} BOS"),
        (
            TURNS, (),
            "its tokenizer puts nothing there, although it names {} BOS, which opens each turn of "
            "its chat template",
        ),
        (OPENS, (1000,), "its chat template opens a conversation with it"),
        ("{{ raise_exception('no') }}", (), "its tokenizer puts nothing there, although it names"),
    ],
)  # fmt: skip
def test_a_bos_that_is_only_named(
    mini: Model, template: str | None, ids: tuple[int, ...], reason: str
) -> None:
    bos = known_token(mini)
    found = start_of(with_tokenizer(mini, names(bos, template)))
    assert found.ids == ids
    assert found.reason.startswith(reason.format(bos))
    assert (found.shown == "nothing") == (ids == ())


def test_no_bos_named(mini: Model) -> None:
    found = start_of(with_tokenizer(mini, names(None)))
    assert found.ids == ()
    assert found.reason == "its tokenizer puts nothing there, and names no BOS"


@pytest.mark.parametrize(("gain", "taken"), [(0.3, True), (0.05, False)])
def test_a_clearly_smaller_loss_decides_where_the_tokenizer_does_not(
    mini: Model, monkeypatch: pytest.MonkeyPatch, gain: float, taken: bool
) -> None:
    model = with_tokenizer(mini, names(known_token(mini)))
    losses = {(): 3.5, (1000,): 3.6, (0,): 3.5 - gain}
    monkeypatch.setattr(start_token, "_losses", lambda model: losses)
    found = start_of(model)
    assert found.ids == ((0,) if taken else ())
    shown = "<|endoftext|>" if taken else "nothing"
    assert found.sentence.startswith(f"In front of a text the model expects {shown}: ")
    assert f"nothing 3.50, {known_token(mini)} 3.60, <|endoftext|> {3.5 - gain:.2f})" in (
        found.sentence
    )


def test_losses_are_of_the_same_tokens_whatever_is_in_front(mini: Model) -> None:
    """Against transformers' own loss, row by row, over the tokens after each text's first."""
    texts = [mini.ids("Mary gave the keys to Tom."), mini.ids("Ann met Ben at the shop")]
    for before in ([], [0], [5, 6]):
        rows = [[*before, *text] for text in texts]
        total = 0.0
        for row in rows:
            labels = torch.tensor([row])
            labels[0, : len(before) + 1] = -100
            loss = mini.network(input_ids=torch.tensor([row]), labels=labels).loss
            total += float(loss) * (len(row) - len(before) - 1)
        tokens = sum(len(text) - 1 for text in texts)
        found = start_token._loss(mini, rows, len(before))
        assert found == pytest.approx(total / tokens, abs=1e-4)


def test_what_was_asked_for(mini: Model) -> None:
    assert start_of(replace(mini, start="none")).ids == ()
    assert start_of(replace(mini, start="bos")).ids == (0,)
    asked = start_of(replace(mini, start=" the"))
    assert asked.ids == tuple(mini.ids(" the"))
    assert asked.sentence == "In front of a text the model expects  the: it was asked for (--start)"
    with pytest.raises(UserError) as error:
        load_model("mini", start="not one token")
    assert str(error.value) == (
        "start token 'not one token' is 3 tokens of model mini: expected none, bos, or the text of "
        "one token, e.g. '<|endoftext|>'"
    )


def test_dictionaries_are_read_behind_what_was_asked_for(mini: Model) -> None:
    (saved,) = load_dictionaries("mini", mini, [3])
    plain = saved.under(Convention(prepend_bos=True, centred=False))
    assert ids_in_front(mini, plain.convention) == [0]
    assert behind(plain, None) is plain
    assert ids_in_front(mini, behind(plain, "none").convention) == []
    assert ids_in_front(mini, behind(plain, " the").convention) == mini.ids(" the")
    assert behind(plain, " the").convention.to_dict()["start_token"] == " the"
    kept = behind(put_in_force(plain, ["no-bos"]), "bos")
    assert not kept.convention.prepend_bos, "the convention was asked for as well"


@pytest.mark.parametrize("text", ["<|endoftext|>Ann met", "Ann met"])
def test_a_start_token_goes_in_front_once(mini: Model, text: str) -> None:
    ids = mini.ids(text)
    assert [0, *mini.after_start(ids, [0])] == [0, *mini.ids("Ann met")]
    assert mini.after_start(ids, []) == ids
    the = mini.ids(" the")
    assert mini.after_start([*the, *ids], the) == [*the, *ids], "no special token: it is text"
