"""What an inspect_ai sample's model was given and what it said, from the sample's messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from faultlens.corpus.logs.inspect_archive import RawSample
from faultlens.corpus.message import Message, written_out

ATTACHMENT = "attachment://"
TOOLS = "called tools"
SEVERAL_TURNS = "answered in several turns"
NO_TEXT = "given images, sound or files"
NO_ANSWER = "without an answer of the model"
NO_PROMPT = "without a prompt"


@dataclass(frozen=True)
class Conversation:
    """The messages before the model's one answer, and the answer.

    In multiple choice the question's `input` is not what the model saw; its messages are.
    """

    messages: tuple[Message, ...]
    answer: str

    @property
    def text(self) -> str:
        """The messages as one text: a user's alone as it is, several under their roles."""
        return written_out(self.messages)


def conversation_of(sample: RawSample) -> Conversation | str:
    """The conversation of a sample; or the reason why it is not one question and one answer.

    Answers of the assistant that were part of the input (examples) belong to the question.
    """
    messages = [m for m in sample.get("messages") or [] if isinstance(m, dict)]
    if any(m.get("role") == "tool" or m.get("tool_calls") for m in messages):
        return TOOLS
    said = [i for i, m in enumerate(messages) if _is_said(m)]
    if len(said) > 1:
        return SEVERAL_TURNS
    attachments = sample.get("attachments") or {}
    before = messages[: said[0]] if said else messages
    contents = [_text(m.get("content"), attachments) for m in before]
    if any(content is None for content in contents):
        return NO_TEXT
    given = tuple(
        Message(str(m.get("role")), content or "")
        for m, content in zip(before, contents, strict=True)
    )
    if not any(message.content.strip() for message in given):
        return NO_PROMPT
    output = sample.get("output") or {}
    content = messages[said[0]].get("content") if said else output.get("completion")
    answer = _text(content, attachments)
    return NO_ANSWER if answer is None else Conversation(given, answer)


def _is_said(message: dict[str, Any]) -> bool:
    return message.get("role") == "assistant" and message.get("source") != "input"


def _text(content: Any, attachments: dict[str, str]) -> str | None:
    """A message's text, its reasoning left out; None where it holds more than text."""
    if isinstance(content, str):
        return _resolved(content, attachments)
    if not isinstance(content, Sequence):
        return None
    parts = [part for part in content if isinstance(part, dict) and part.get("type") != "reasoning"]
    if any(part.get("type") != "text" for part in parts):
        return None
    return "".join(_resolved(str(part.get("text", "")), attachments) for part in parts)


def _resolved(text: str, attachments: dict[str, str]) -> str:
    if text.startswith(ATTACHMENT):
        return attachments.get(text.removeprefix(ATTACHMENT), text)
    return text
