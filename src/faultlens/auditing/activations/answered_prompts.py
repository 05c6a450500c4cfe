"""Answered prompts: what a model reads of prompts that were answered elsewhere, in its tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faultlens.auditing.activations.task_tokens import TaskTokens, begun
from faultlens.auditing.config import AnswerReadingConfig
from faultlens.corpus.answers import Answers
from faultlens.errors import UserError
from faultlens.models.model import Model


def stands_bos(model: Model, answers: Answers, how: AnswerReadingConfig) -> bool:
    """Whether BOS is put before each prompt.

    As the evaluation had it: where its log leaves that to the tokenizer, as the tokenizer does by
    itself; of a table, which says nothing, as dictionaries are trained.
    """
    if how.prompt_bos != "log":
        return how.prompt_bos == "add"
    if answers.source is None:
        return True
    if answers.source.adds_bos is not None:
        return answers.source.adds_bos
    ids = model.tokenizer("a")["input_ids"]
    return bool(ids) and model.has_bos and ids[0] == model.bos_id


def texts_read(answers: Answers, how: AnswerReadingConfig) -> list[str]:
    """What is read of each prompt: the prompt, or that with what was generated after it.

    Raises UserError where the answer is to be read, and was not recorded.
    """
    texts = [prompt.text for prompt in answers.task.prompts]
    if not how.with_answer:
        return texts
    missing = next((i for i, text in enumerate(answers.generated, 1) if text is None), None)
    if missing is not None:
        raise UserError(
            f"prompt {missing} has no 'generated' to be read with it: leave out --with-answer to "
            "read the prompts alone"
        )
    return [text + str(said) for text, said in zip(texts, answers.generated, strict=True)]


def tokens_to_read(name: str, texts: Sequence[str], model: Model, bos: bool) -> TaskTokens:
    """Texts in tokens, to be read and not to be answered: no target, no foil.

    Raises UserError for a text of fewer than two tokens, or one that does not fit the context.
    """
    rows, offsets, own_bos = [], [], []
    for number, text in enumerate(texts, start=1):
        ids, where = model.ids_and_offsets(text)
        row, begins = begun(ids, model, bos)
        if not 2 <= len(row) <= model.context:
            raise UserError(
                f"{name}: prompt {number} has {len(row)} tokens as it is read: expected 2 to "
                f"{model.context}, the model's context"
            )
        rows.append(row)
        offsets.append(where[len(ids) - len(row) + 1 :])
        own_bos.append(begins)
    none = np.full(len(rows), -1)
    return TaskTokens(rows, none, none, offsets=offsets, own_bos=own_bos, bos=bos)
