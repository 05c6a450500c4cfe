"""As trained: a task's tokens behind what the dictionaries were trained with."""

from __future__ import annotations

from faultlens.auditing.activations.task_tokens import TaskTokens, tokenize
from faultlens.corpus.task import Task
from faultlens.features.lens import Lens
from faultlens.features.text_tokens import ids_in_front


def as_trained(lens: Lens, task: Task, tokens: TaskTokens) -> TaskTokens | None:
    """The task behind the dictionaries' start token; None: the model reads the same, or no other.

    Args:
        tokens: of the task as the model reads it. A chat template may begin with the start token
            itself.
    """
    if not lens.dictionaries:
        return None
    front = ids_in_front(lens.model, lens.dictionaries)
    begins = not tokens.start and all(row[: len(front)] == front for row in tokens.rows)
    if tokens.start == front or begins:
        return None
    return tokenize(task, lens.model, front)
