"""Conversations of an evaluation log, as the model that gave the answers reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultlens.auditing.behaviour.chat_template import has_template, rendered
from faultlens.corpus.answers import Answers
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
    if has_template(model):
        return answers.rendered(lambda messages: rendered(model, messages)), []
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
