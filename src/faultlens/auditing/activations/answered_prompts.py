"""Answered prompts: what a model reads of prompts that were answered elsewhere, in its tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faultlens.auditing.activations.task_tokens import TaskTokens
from faultlens.corpus.answers import Answers
from faultlens.errors import UserError
from faultlens.models.model import Model
from faultlens.models.start_token import by_default, start_of


def start_of_answers(model: Model, answers: Answers) -> list[int]:
    """What stood in front of each prompt when it was answered.

    What was asked for (`--start`); else what the harness put there, as its log says, or left to the
    tokenizer; of a table, which says nothing, the model's own start token.
    """
    source = answers.source
    if model.start is not None or source is None:
        return list(start_of(model).ids)
    if source.adds_bos is None:
        return list(by_default(model))
    return [model.bos_id] if source.adds_bos else []


def texts_read(answers: Answers, with_answer: bool) -> list[str]:
    """What features are read of: the prompts, or these with what was generated after them.

    Raises UserError where the answer is to be read, and was not recorded.
    """
    texts = [prompt.text for prompt in answers.task.prompts]
    if not with_answer:
        return texts
    missing = next((i for i, text in enumerate(answers.generated, 1) if text is None), None)
    if missing is not None:
        raise UserError(
            f"prompt {missing} has no 'generated' to be read with it: leave out --with-answer to "
            "read the prompts alone"
        )
    return [text + str(said) for text, said in zip(texts, answers.generated, strict=True)]


def tokens_to_read(name: str, texts: Sequence[str], model: Model, start: list[int]) -> TaskTokens:
    """Texts in tokens, to be read and not to be answered: no target, no foil.

    Raises UserError for a text without tokens, or one that does not fit the context.
    """
    rows, offsets, own_bos = [], [], []
    for number, text in enumerate(texts, start=1):
        ids, where = model.ids_and_offsets(text)
        own = model.after_start(ids, start)
        if not own or len(start) + len(own) > model.context:
            raise UserError(
                f"{name}: prompt {number} has {len(own)} tokens as it is read: expected 1 to "
                f"{model.context - len(start)}"
            )
        rows.append([*start, *own])
        offsets.append(where[len(ids) - len(own) :])
        own_bos.append(len(own) < len(ids))
    none = np.full(len(rows), -1)
    return TaskTokens(
        rows, none, none, offsets=offsets, own_bos=own_bos, n_start=len(start)
    )  # fmt: skip
