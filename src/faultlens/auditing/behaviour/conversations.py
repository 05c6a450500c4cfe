"""Conversations of an evaluation log, as the model that gave the answers reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from faultlens.corpus.answers import Answers
from faultlens.corpus.logs.evaluation_log import Message
from faultlens.errors import UserError

if TYPE_CHECKING:  # tables that were brought are audited without torch
    from faultlens.models.model import Model


def as_model_reads(answers: Answers, model: Model) -> tuple[Answers, list[str]]:
    """Answers with the texts that the model reads, and what to know of how they were made.

    A conversation goes through the model's own chat template, up to where its answer begins. A
    model without one reads a single message as plain text.

    Raises UserError for longer conversations without a template, and for a template that refuses
    one.
    """
    if answers.conversations is None:
        return answers, []
    if getattr(model.tokenizer, "chat_template", None):
        return answers.rendered(lambda messages: _rendered(model, messages)), []
    longest = max(map(len, answers.conversations))
    if longest > 1:
        raise UserError(
            f"the prompts of {answers.task.name} are conversations of up to {longest} messages, "
            f"and model {model.name} has no chat template to read them with: give the model that "
            "answered them"
        )
    return answers, [
        f"model {model.name} has no chat template: each prompt of {answers.task.name}, one message "
        "of a user, was read as plain text"
    ]


def _rendered(model: Model, messages: Sequence[Message]) -> str:
    turns = [{"role": message.role, "content": message.content} for message in messages]
    try:
        text = model.tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True
        )
    except Exception as error:  # a template is a program of its own: it raises what it likes
        reason = " ".join(str(error).split())
        raise UserError(
            f"the chat template of model {model.name} refuses a conversation ({reason}): its roles "
            f"are {', '.join(message.role for message in messages)}"
        ) from error
    return str(text)
