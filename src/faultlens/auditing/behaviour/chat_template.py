"""A model's chat template: conversations as the model reads them, and its system prompt."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from faultlens.corpus.message import Message
from faultlens.errors import UserError

if TYPE_CHECKING:  # tables that were brought are audited without torch
    from faultlens.models.model import Model

_SYSTEM, _USER = "⟦the system's⟧", "⟦the user's⟧"  # stand for messages, to be found again
_TODAY = "strftime_now"  # what templates call to write the date


def has_template(model: Model) -> bool:
    """Whether the model's tokenizer has a chat template."""
    return bool(getattr(model.tokenizer, "chat_template", None))


def template_digest(model: Model) -> str:
    """SHA-256 of the template."""
    return hashlib.sha256(str(model.tokenizer.chat_template).encode()).hexdigest()


def writes_the_date(model: Model) -> bool:
    """Whether the template puts today's date in, so that prompts change from day to day."""
    return _TODAY in str(model.tokenizer.chat_template)


def rendered(model: Model, messages: Sequence[Message]) -> str:
    """A conversation as the model reads it, up to where its answer begins.

    The prompt for the answer is included. A last message of the assistant is the beginning of the
    answer, and stays open.

    Raises UserError for a conversation that the template refuses.
    """
    turns = [{"role": message.role, "content": message.content} for message in messages]
    begun = messages[-1].role == "assistant"
    try:
        text = model.tokenizer.apply_chat_template(
            turns,
            tokenize=False,
            add_generation_prompt=not begun,
            continue_final_message=begun,
        )
    except Exception as error:  # a template is a program of its own: it raises what it likes
        reason = " ".join(str(error).split())
        raise UserError(
            f"the chat template of model {model.name} refuses a conversation ({reason}): its roles "
            f"are {', '.join(message.role for message in messages)}"
        ) from error
    return str(text)


def unasked_system_prompt(model: Model) -> str | None:
    """The system prompt that the template puts in where a conversation has none; None if none."""
    plain = rendered(model, (Message("user", _USER),)).partition(_USER)[0]
    try:
        asked = rendered(model, (Message("system", _SYSTEM), Message("user", _USER)))
    except UserError:  # it takes none
        return None
    head, _, rest = asked.partition(_SYSTEM)
    tail = rest.partition(_USER)[0]
    if not (plain.startswith(head) and plain.endswith(tail)):
        return None
    return plain[len(head) : max(len(head), len(plain) - len(tail))] or None
