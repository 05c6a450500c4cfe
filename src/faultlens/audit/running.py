"""Running a task: what the model generates after each prompt, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from faultlens.audit.outcomes import Rule, kind_of
from faultlens.audit.steps import PromptOutcome
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.models.model import Model
from faultlens.progress import Tick

NEW_TOKENS = 8
BATCH = 64  # prompts decoded together


@dataclass(frozen=True, eq=False)
class TaskTokens:
    """A task in the model's tokens.

    Attributes:
        rows: the prompts' ids, BOS first.
        target: the first token of each answer, `[prompts]`, as it continues the prompt.
        foil: likewise of the foil; -1 where there is none, or it starts with the target's token.
    """

    rows: list[list[int]]
    target: np.ndarray
    foil: np.ndarray

    @property
    def scored(self) -> list[list[int]]:
        return self.rows

    @property
    def last(self) -> np.ndarray:
        """The position of each prompt's last token, BOS counted."""
        return np.array([len(row) - 1 for row in self.rows])


def tokenize(task: Task, model: Model) -> TaskTokens:
    """The task in tokens. Raises UserError for a prompt that leaves no room to answer."""
    rows, target, foil = [], [], []
    for number, prompt in enumerate(task.prompts, start=1):
        row = [model.bos_id, *model.ids(prompt.text)]
        if len(row) + NEW_TOKENS > model.context:
            raise UserError(
                f"task {task.name}: prompt {number} has {len(row)} tokens, and {NEW_TOKENS} more "
                f"are decoded: expected at most {model.context} in all"
            )
        rows.append(row)
        answer = first_token_of(model, prompt.target)
        wrong = None if prompt.foil is None else first_token_of(model, prompt.foil)
        target.append(answer)
        foil.append(-1 if wrong is None or wrong == answer else wrong)
    return TaskTokens(rows, np.array(target), np.array(foil))


def first_token_of(model: Model, answer: str) -> int:
    """The first token of an answer, which follows its prompt after a space."""
    return model.ids(f" {answer}")[0]


def run_task(
    lens: Lens, task: Task, tokens: TaskTokens, succeeds: Rule, progress: Tick | None = None
) -> list[PromptOutcome]:
    """Decode every prompt greedily and score it by a rule `(generated, target) -> bool`."""
    generated = decode(lens.model, tokens.rows, progress)
    scores = answer_scores(lens.model, tokens)
    outcomes = []
    for prompt, text, (difference, margin) in zip(task.prompts, generated, scores, strict=True):
        success = bool(succeeds(text, prompt.target))
        kind = kind_of(prompt.text, text, prompt.target, prompt.foil, success)
        outcomes.append(
            PromptOutcome(prompt.text, prompt.target, text, success, kind, difference, margin)
        )
    return outcomes


def decode(model: Model, rows: Sequence[Sequence[int]], progress: Tick | None = None) -> list[str]:
    """Greedy continuations of up to eight tokens, as text."""
    texts: list[str] = []
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        texts += [model.tokenizer.decode(ids) for ids in model.generate(batch, NEW_TOKENS)]
        if progress is not None:
            progress(len(batch))
    return texts


@torch.no_grad()
def answer_scores(model: Model, tokens: TaskTokens) -> list[tuple[float | None, float]]:
    """How sure the model is of each answer's first token, in nats.

    Returns:
        a pair a prompt: `logit(target) − logit(foil)`, None where there is no foil, and
        `logit(target) − the largest other logit`.
    """
    scores: list[tuple[float | None, float]] = []
    for start in range(0, len(tokens.rows), BATCH):
        part = slice(start, start + BATCH)
        logits = (
            model.logits(model.pad(tokens.rows[part]), at=torch.from_numpy(tokens.last[part]))
            .cpu()
            .numpy()
        )
        for of_prompt, target, foil in zip(
            logits, tokens.target[part], tokens.foil[part], strict=True
        ):
            right = float(of_prompt[target])
            others = np.delete(of_prompt, target)
            difference = right - float(of_prompt[foil]) if foil >= 0 else None
            scores.append((difference, right - float(others.max())))
    return scores
