"""Chat: a task's prompts as a chat model reads them, each a conversation through its template."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from faultlens.auditing.behaviour.chat_template import (
    has_template,
    rendered,
    template_digest,
    unasked_system_prompt,
    writes_the_date,
)
from faultlens.auditing.config import ChatConfig
from faultlens.corpus.message import Message
from faultlens.corpus.task import Prompt, Task
from faultlens.errors import UserError
from faultlens.models.model import Model


def as_chat(task: Task, model: Model, config: ChatConfig) -> Task:
    """The task with the texts that the model reads, where it is a chat; otherwise as it is.

    A conversation (`messages`) always goes through the model's template; other prompts do where the
    config asks for it, as a user's message behind the task's instruction.

    Raises:
        UserError: a model without a template, a system prompt where there is no chat or twice, a
            conversation that the template refuses, plain prompts beside conversations.
    """
    if all(prompt.rendered for prompt in task.prompts):
        return task
    talks = [bool(prompt.messages) for prompt in task.prompts]
    if not config.chat and not any(talks):
        if config.system is not None:
            raise UserError("system (--system) goes with a chat: give --chat as well")
        return task
    if not config.chat and not all(talks):
        raise UserError(
            f"task {task.name}: prompt {talks.index(False) + 1} is plain text, and others are "
            "conversations: give --chat to make it a user's message"
        )
    _check_model(model, asked=config.chat and not any(talks))
    prompts = tuple(
        _as_chat(f"task {task.name}: prompt {number}", task, prompt, model, config.system)
        for number, prompt in enumerate(task.prompts, start=1)
    )
    notes = (*task.notes, *_notes(task, model, config))
    return replace(task, prompts=prompts, notes=notes)


def chat_record(task: Task, model: Model, config: ChatConfig) -> dict[str, Any] | None:
    """What a manifest says of how a task was rendered; None where it was not."""
    if not all(prompt.rendered for prompt in task.prompts):
        return None
    return {
        "template": template_digest(model),
        "system": config.system,
        "system_of_template": unasked_system_prompt(model),
    }


def _check_model(model: Model, asked: bool) -> None:
    """Raises UserError for a model that renders no chat; `asked`: one only because of --chat."""
    if not has_template(model):
        instead = (
            ": leave out --chat, or give a chat model" if asked else
            ", and these prompts are conversations: give a chat model"
        )  # fmt: skip
        raise UserError(f"model {model.name} has no chat template{instead}")
    if model.split_special_tokens:
        raise UserError(
            "special tokens cannot be read as plain text in a chat, whose turns they mark: leave "
            "out --special-tokens text"
        )


def _as_chat(where: str, task: Task, prompt: Prompt, model: Model, system: str | None) -> Prompt:
    messages = prompt.messages or (_asked(task, prompt.text),)
    if system is not None:
        if messages[0].role == "system":
            raise UserError(f"{where} has a system message of its own: leave out --system")
        messages = (Message("system", system), *messages)
    text = rendered(model, messages)
    begun = messages[-1].role == "assistant"
    reworded = tuple(
        rendered(model, (*messages[:-1], _asked(task, wording))) for wording in prompt.rewordings
    )
    return replace(
        prompt, text=text, rendered=True, separator=prompt.separator if begun else "",
        rewordings=reworded,
    )  # fmt: skip


def _asked(task: Task, text: str) -> Message:
    """A prompt as a user's message, behind the task's instruction."""
    return Message("user", f"{task.instruction}\n\n{text}" if task.instruction else text)


def _notes(task: Task, model: Model, config: ChatConfig) -> list[str]:
    """How the prompts were rendered, and the system prompt in force, a sentence each."""
    own = sum(bool(p.messages) and p.messages[0].role == "system" for p in task.prompts)
    others = len(task) - own
    said = [f"that of the task in {own} of {len(task)} prompts"] if own else []
    unasked = unasked_system_prompt(model)
    if config.system is not None:
        said.append(f"{config.system!r}, as given")
    elif others and unasked is not None:
        said.append(f"{unasked!r}, which the template puts in unasked")
    elif others:
        said.append("none")
    notes = [
        f"the prompts go through the chat template of model {model.name}; system prompt in force: "
        f"{'; '.join(said)}"
    ]
    if writes_the_date(model):
        notes.append(
            f"the chat template of model {model.name} puts today's date in: on another day the "
            "model reads other prompts"
        )
    return notes
