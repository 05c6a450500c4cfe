"""Answer scores: how sure the model is of each prompt's target, in nats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import logsumexp

from faultlens.auditing.activations.task_tokens import TaskTokens, by_length
from faultlens.corpus.task import Task
from faultlens.models.model import Model

FORCED_BATCH = 8  # prompts whose answers are scored in one pass


@dataclass(frozen=True)
class AnswerScore:
    """How sure the model is of a prompt's target, in nats.

    Attributes:
        difference: `logit(target) − logit(foil)` at the first token in which they differ; None
            where there is no foil to compare with.
        margin: at the same token, the largest logit of a right answer − the largest other logit, or
            the foil's where that is all it is compared with.
        log_probability: `Σ_i log p(target's token i | prompt, tokens before i)`; of a reply that
            leads up to its answer, from there on.
    """

    difference: float | None
    margin: float
    log_probability: float


def answer_scores(model: Model, tokens: TaskTokens) -> list[AnswerScore]:
    """How sure the model is of each answer, from one pass over prompt and answer."""
    scores = forced_scores(model, tokens, range(len(tokens.rows)))
    return [scores[i] for i in range(len(tokens.rows))]


def score_warnings(task: Task, tokens: TaskTokens) -> list[str]:
    """What a reader should know of what the margins say, a sentence each."""
    shared = sum(len(ids) > tokens.lead(i) for i, ids in enumerate(tokens.shared))
    if not shared:
        return []
    return [
        f"in {shared} of {len(task)} prompts target and foil share their first token (such as "
        f"{_example(task, tokens)}): margin and logit difference compare what follows once that "
        "token is given, and say nothing of whether the model gives it"
    ]


def _example(task: Task, tokens: TaskTokens) -> str:
    pairs = enumerate(zip(task.prompts, tokens.shared, strict=True))
    first = next(prompt for i, (prompt, shared) in pairs if len(shared) > tokens.lead(i))
    return f"{first.target!r} and {first.foil!r}"


@torch.no_grad()
def forced_scores(
    model: Model, tokens: TaskTokens, prompts: Sequence[int]
) -> dict[int, AnswerScore]:
    """The scores of some prompts, by index, from a pass in which the answer follows the prompt."""
    whole = tokens.whole_answers
    rows = {i: [*tokens.rows[i], *whole[i][:-1]] for i in prompts}
    scores = {}
    for part in by_length([rows[i] for i in prompts], FORCED_BATCH):
        batch = [prompts[place] for place in part]
        ids = model.pad([rows[i] for i in batch])
        answering = torch.zeros_like(ids, dtype=torch.bool)  # no vocabulary for all other positions
        for place, i in enumerate(batch):
            answering[place, len(tokens.rows[i]) - 1 : len(rows[i])] = True
        logits = model.logits(ids, at=answering).cpu()
        parts = torch.split(logits, [len(whole[i]) for i in batch])
        for i, of_answer in zip(batch, parts, strict=True):
            scores[i] = score(of_answer.numpy(), whole[i], tokens, i)
    return scores


def score(
    logits: np.ndarray, answer: Sequence[int], tokens: TaskTokens, prompt: int
) -> AnswerScore:
    """The score of an answer from the logits `[answer's tokens, vocabulary]` that precede each."""
    target, foil = tokens.target[prompt], tokens.foil[prompt]
    at = logits[tokens.last[prompt] - len(tokens.rows[prompt]) + 1]
    accepted = tokens.right(np.array([prompt]))[0]
    chosen = logits[np.arange(len(answer)), list(answer)].astype(np.float64)
    told = chosen - logsumexp(logits.astype(np.float64), axis=1)
    log_probability = float(told[tokens.lead(prompt) :].sum())
    other = at[foil] if tokens.foil_alone else np.delete(at, accepted).max()
    return AnswerScore(
        float(at[target]) - float(at[foil]) if foil >= 0 else None,
        float(at[accepted].max()) - float(other),
        log_probability,
    )
