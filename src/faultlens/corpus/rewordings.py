"""Rewordings: a task's prompts in the other words that a user gives for them."""

from __future__ import annotations

from dataclasses import replace

from faultlens.corpus.task import Task


def reworded(task: Task) -> tuple[Task, list[int]] | None:
    """The rewordings of a task's prompts as a task of their own; None where there are none.

    Each has its prompt's answers, factors and groups.

    Returns:
        the task, and of each of its prompts the index of the one that it rewords.
    """
    pairs = [
        (i, replace(prompt, text=wording, messages=(), rewordings=()))
        for i, prompt in enumerate(task.prompts)
        for wording in prompt.rewordings
    ]
    if not pairs:
        return None
    prompts = tuple(prompt for _, prompt in pairs)
    return replace(task, name=f"{task.name}, reworded", prompts=prompts), [i for i, _ in pairs]
