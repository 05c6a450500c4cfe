"""Message: one turn of a conversation, and how a record says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from faultlens.corpus.records import shown, whole_text
from faultlens.errors import UserError

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Message:
    """A message of a conversation.

    Attributes:
        role: `system`, `user` or `assistant`.
        content: its text.
    """

    role: str
    content: str


def read_messages(where: str, value: Any) -> tuple[Message, ...]:
    """A conversation from a record's field `messages`.

    A system message stands first, if at all; an assistant's last message is the beginning of the
    answer.

    Args:
        where: the record's place, as a sentence names it.
        value: as it was read.

    Raises:
        UserError: anything but a list of `{"role", "content"}` that ends where an answer begins.
    """
    expected = 'expected a list of {"role": "user", "content": "…"}'
    if not isinstance(value, list) or not value:
        raise UserError(f"{where}: 'messages' is {shown(value)}, {expected}")
    found = []
    for number, message in enumerate(value, start=1):
        if not isinstance(message, dict) or set(message) != {"role", "content"}:
            raise UserError(f"{where}: message {number} is {shown(message)}, {expected}")
        role, content = message["role"], message["content"]
        if role not in ROLES or (role == "system" and number > 1):
            raise UserError(
                f"{where}: message {number} has the role {shown(role)}, expected user or "
                "assistant, or system of the first message"
            )
        if not isinstance(content, str) or not content.strip():
            raise UserError(
                f"{where}: message {number} has the content {shown(content)}, expected a text that "
                "is not empty"
            )
        found.append(Message(role, whole_text(where, "messages", content)))
    if not any(message.role == "user" for message in found):
        raise UserError(f"{where}: 'messages' has no message of a user, {expected}")
    if found[-1].role == "system":
        raise UserError(f"{where}: 'messages' ends with the system's, {expected}")
    return tuple(found)


def written_out(messages: tuple[Message, ...]) -> str:
    """A conversation as one text: a user's message alone as it is, several under their roles.

    >>> written_out((Message("system", "Be brief."), Message("user", "Who?")))
    'system: Be brief.\\n\\nuser: Who?'
    """
    if len(messages) == 1 and messages[0].role == "user":
        return messages[0].content
    return "\n\n".join(f"{message.role}: {message.content}" for message in messages)
