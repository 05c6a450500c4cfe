"""A log's conversations reach the model through its own chat template."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import faultlens as fl
from faultlens.auditing.behaviour.conversations import as_model_reads
from faultlens.corpus.answers import Answers
from faultlens.corpus.message import Message
from faultlens.corpus.task import Prompt, Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens

TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture(scope="module")
def lens() -> Lens:
    return fl.load("mini", layers=[3])


def asked(*roles: str) -> Answers:
    """Two answers to conversations of these roles."""
    talks = tuple(tuple(Message(role, f"{role} {i} says") for role in roles) for i in range(2))
    prompts = tuple(Prompt(f"text {i}", "Ann", "Bob") for i in range(2))
    return Answers(Task("chat", prompts), ("Ann", "Bob"), (True, False), conversations=talks)


def with_template(lens: Lens, template: str) -> Lens:
    tokenizer = type(lens.model.tokenizer).from_pretrained(lens.model.tokenizer.name_or_path)
    tokenizer.chat_template = template
    return replace(lens, model=replace(lens.model, tokenizer=tokenizer))


def test_a_conversation_is_what_the_template_makes_of_it(lens: Lens) -> None:
    chat = with_template(lens, TEMPLATE).model
    read, notes = as_model_reads(asked("system", "user"), chat)
    assert [p.text for p in read.task.prompts] == [
        f"<system>system {i} says<user>user {i} says<assistant>" for i in range(2)
    ]
    assert {(p.target, p.foil, p.separator) for p in read.task.prompts} == {("Ann", "Bob", "")}
    assert (read.generated, read.success, notes) == (("Ann", "Bob"), (True, False), [])
    assert read.conversations is None
    assert as_model_reads(read, chat) == (read, []), "once rendered, it is plain text"


def test_without_a_template_one_message_is_plain_text_and_it_is_said(lens: Lens) -> None:
    answers = asked("user")
    read, notes = as_model_reads(answers, lens.model)
    assert read == answers
    assert notes == [
        f"model {lens.model.name} has no chat template: each prompt of chat, one message of a "
        "user, was read as plain text"
    ]
    with pytest.raises(UserError) as refused:
        as_model_reads(asked("system", "user"), lens.model)
    assert str(refused.value) == (
        "the prompts of chat are conversations of up to 2 messages, and model "
        f"{lens.model.name} has no chat template to read them with: give the model that answered "
        "them"
    )


def test_what_a_template_refuses_is_one_sentence(lens: Lens) -> None:
    chat = with_template(lens, "{{ raise_exception('no system\nrole') }}").model
    with pytest.raises(UserError) as refused:
        as_model_reads(asked("system", "user"), chat)
    assert str(refused.value) == (
        f"the chat template of model {chat.name} refuses a conversation (no system role): its "
        "roles are system, user"
    )


def test_an_audit_reads_the_rendered_prompts(lens: Lens) -> None:
    """Of twelve conversations: features come from the texts with their markers."""
    talks = tuple((Message("user", f"Mary gave it to number {i}"),) for i in range(12))
    prompts = tuple(Prompt(talk[0].content, "Ann", "Bob") for talk in talks)
    answers = Answers(
        Task("chat", prompts), (" Ann", " Bob") * 6, (True, False) * 6, conversations=talks
    )
    chat = with_template(lens, TEMPLATE)
    settings = {
        "fit_check": False, "baselines": False, "permutations": 99, "test_classes": 0,
        "test_attributed": 0,
    }  # fmt: skip
    found = fl.audit(chat, answers, **settings)
    assert [o.prompt for o in found.outcomes] == [
        f"<user>{talk[0].content}<assistant>" for talk in talks
    ]
    by_hand = Answers(
        Task("chat", tuple(replace(p, text=o.prompt, separator="")
                           for p, o in zip(prompts, found.outcomes, strict=True))),
        answers.generated, answers.success,
    )  # fmt: skip
    again = fl.audit(chat, by_hand, **settings)
    assert found.sites == again.sites
    plain = fl.audit(lens, answers, **settings)
    assert plain.sites != found.sites
    assert any("has no chat template" in warning for warning in plain.warnings)
    assert np.isfinite([c.auroc for _, c in found.classes]).all()
