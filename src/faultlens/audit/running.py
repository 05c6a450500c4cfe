"""Running a task: what the model generates after each prompt, and how sure it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.special import logsumexp

from faultlens.audit.outcomes import Rule, kind_of
from faultlens.audit.steps import PromptOutcome
from faultlens.corpus.task import Prompt, Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.models.model import Model
from faultlens.progress import Tick

NEW_TOKENS = 8  # decoded after each prompt
BATCH = 64  # prompts decoded together
FORCED_BATCH = 8  # prompts whose logits at all positions are held at once


@dataclass(frozen=True, eq=False)
class TaskTokens:
    """A task in the model's tokens.

    Target and foil are compared at the first token in which they differ; what they share before it
    ("the landlord", "the clerk") is put behind the prompt. Where one begins with the other there is
    no such token: the pair is compared nowhere, and the target stands with its first token.

    Attributes:
        rows: the prompts' ids, BOS first.
        target: the target's token that is scored, `[prompts]`.
        foil: the foil's token at the same place, `[prompts]`; -1 where there is none.
        shared: by prompt the tokens that target and foil share at their start; empty: none.
        answers: by prompt all tokens of the target; empty: each is the one token `target`.
        foils: by prompt all tokens of the foil, empty where there is none; empty: not known.
    """

    rows: list[list[int]]
    target: np.ndarray
    foil: np.ndarray
    shared: Sequence[list[int]] = ()
    answers: Sequence[list[int]] = ()
    foils: Sequence[list[int]] = ()

    @cached_property
    def scored(self) -> list[list[int]]:
        """The prompts with what target and foil share: after each, target and foil part ways."""
        if not self.shared:
            return self.rows
        return [row + shared for row, shared in zip(self.rows, self.shared, strict=True)]

    @cached_property
    def last(self) -> np.ndarray:
        """The position of each scored row's last token, BOS counted."""
        return np.array([len(row) - 1 for row in self.scored])

    def right(self, prompts: np.ndarray) -> np.ndarray:
        """The tokens that are right where each prompt is scored, the target's first.

        `[prompts, most right tokens of any]`, padded with the target's.
        """
        right: np.ndarray = self.target[prompts][:, None]
        return right

    @property
    def whole_answers(self) -> Sequence[list[int]]:
        """By prompt all tokens of the target."""
        return self.answers or [[int(token)] for token in self.target]

    @property
    def targets_of_several_tokens(self) -> int:
        return sum(len(answer) > 1 for answer in self.answers)

    @property
    def foils_of_several_tokens(self) -> int:
        return sum(len(foil) > 1 for foil in self.foils)

    @property
    def foils_not_compared(self) -> int:
        """Foils that begin with the target, or the target with them."""
        return sum(bool(ids) and at < 0 for ids, at in zip(self.foils, self.foil, strict=False))


def tokenize(task: Task, model: Model) -> TaskTokens:
    """The task in tokens. Raises UserError for a prompt that leaves no room to answer."""
    rows, target, foil = [], [], []
    shared, answers, foils = [], [], []
    for number, prompt in enumerate(task.prompts, start=1):
        before = model.ids(prompt.text)
        row = [model.bos_id, *before]
        answer = _answer_ids(model, prompt, before, prompt.target)
        wrong = [] if prompt.foil is None else _answer_ids(model, prompt, before, prompt.foil)
        more = max(NEW_TOKENS, len(answer), len(wrong))
        if len(row) + more > model.context:
            raise UserError(
                f"task {task.name}: prompt {number} has {len(row)} tokens, and {more} more "
                f"are decoded: expected at most {model.context} in all, the model's context; "
                "shorten the prompt"
            )
        parting = _parting(answer, wrong)
        target.append(answer[parting or 0])
        foil.append(-1 if parting is None else wrong[parting])
        shared.append(answer[: parting or 0])
        rows.append(row)
        answers.append(answer)
        foils.append(wrong)
    return TaskTokens(rows, np.array(target), np.array(foil), shared, answers, foils)


def _answer_ids(model: Model, prompt: Prompt, before: list[int], answer: str) -> list[int]:
    """The tokens of an answer as they continue the prompt, whose own tokens are `before`.

    Where the tokenizer would join the end of the prompt and the start of the answer into one token,
    the answer's own tokens are taken: the model is given the prompt's as they are.
    """
    joined = model.ids(prompt.text + prompt.separator + answer)
    if joined[: len(before)] == before and len(joined) > len(before):
        return joined[len(before) :]
    return model.ids(prompt.separator + answer)


def _parting(answer: Sequence[int], foil: Sequence[int]) -> int | None:
    """The first place at which two sequences of tokens differ; None if one begins with the other.

    >>> _parting([5, 6, 7], [5, 8]), _parting([5, 6], [5]), _parting([5], [])
    (1, None, None)
    """
    pairs = zip(answer, foil, strict=False)
    return next((i for i, (right, wrong) in enumerate(pairs) if right != wrong), None)


def token_warnings(task: Task, tokens: TaskTokens) -> list[str]:
    """What a reader should know of the answers' tokens, a sentence each."""
    n, found = len(task), []
    several = (tokens.targets_of_several_tokens, tokens.foils_of_several_tokens)
    if any(several):
        found.append(
            f"{several[0]} of {n} targets and {several[1]} foils are several tokens of this model: "
            "margins and logit differences are those of the first token in which target and foil "
            "differ, after the tokens they share"
        )
    if tokens.foils_not_compared:
        found.append(
            f"{tokens.foils_not_compared} of {n} foils begin with their target's tokens or the "
            "target's with theirs: these pairs have no logit difference"
        )
    spaced = sum(p.separator == " " and p.text[-1].isspace() for p in task.prompts)
    if spaced:
        found.append(
            f"{spaced} of {n} prompts end in white space, and a space follows before the answer: "
            'take it off the prompt, or give the separator ""'
        )
    return found


@dataclass(frozen=True)
class AnswerScore:
    """How sure the model is of a prompt's target, in nats.

    Attributes:
        difference: `logit(target) − logit(foil)` at the first token in which they differ; None
            where there is no foil to compare with.
        margin: `logit(target) − the largest other logit` at the same token.
        log_probability: `Σ_i log p(target's token i | prompt, tokens before i)`.
    """

    difference: float | None
    margin: float
    log_probability: float


def run_task(
    lens: Lens, task: Task, tokens: TaskTokens, succeeds: Rule, progress: Tick | None = None
) -> list[PromptOutcome]:
    """Decode every prompt greedily and score it by a rule `(generated, target) -> bool`.

    Prompts of similar length are decoded together; the first step's logits score the answer, so
    that only answers of several tokens are run once more.

    Returns:
        the outcomes in the order of the prompts. Where a prompt accepts several answers and one of
        them was given, the outcome's target is that one, so that every rule is put to it.
    """
    model, whole = lens.model, tokens.whole_answers
    texts: dict[int, str] = {}
    scores: dict[int, AnswerScore] = {}
    for batch in by_length(tokens.rows):
        found = model.continuations([tokens.rows[i] for i in batch], NEW_TOKENS)
        logits = found.first_logits.cpu().numpy()
        for place, i in enumerate(batch):
            texts[i] = model.tokenizer.decode(found.ids[place])
            if len(whole[i]) == 1:
                scores[i] = _score(logits[place][None], whole[i], tokens, i)
        if progress is not None:
            progress(len(batch))
    scores |= forced_scores(model, tokens, [i for i, answer in enumerate(whole) if len(answer) > 1])
    return [
        _outcome(prompt, texts[i], succeeds, scores[i]) for i, prompt in enumerate(task.prompts)
    ]


def _outcome(prompt: Prompt, text: str, succeeds: Rule, score: AnswerScore) -> PromptOutcome:
    given = right_answer(prompt, text, succeeds)
    target = prompt.target if given is None else given
    return PromptOutcome(
        prompt.text,
        target,
        text,
        given is not None,
        kind_of(prompt.text, text, target, prompt.foil, given is not None),
        score.difference,
        score.margin,
        score.log_probability,
    )


def right_answer(prompt: Prompt, generated: str, succeeds: Rule) -> str | None:
    """Which of a prompt's right answers a continuation gives under a rule; None if it gives none.

    >>> year = Prompt("from 1742 to 17", "43", foil="42", accepted=("44", "45"), separator="")
    >>> right_answer(year, "45.", lambda generated, target: generated.startswith(target))
    '45'
    """
    return next((answer for answer in prompt.answers if succeeds(generated, answer)), None)


def decode(model: Model, rows: Sequence[Sequence[int]], progress: Tick | None = None) -> list[str]:
    """Greedy continuations of up to eight tokens, as text, in the order of `rows`."""
    texts = [""] * len(rows)
    for batch in by_length(rows):
        for i, ids in zip(batch, model.generate([rows[i] for i in batch], NEW_TOKENS), strict=True):
            texts[i] = model.tokenizer.decode(ids)
        if progress is not None:
            progress(len(batch))
    return texts


def by_length(rows: Sequence[Sequence[int]], size: int = BATCH) -> Iterator[list[int]]:
    """Indices of `rows` in batches, the shortest rows first, so that little is padded.

    >>> list(by_length([[1, 2, 3], [1], [1, 2], [4]], size=2))
    [[1, 3], [2, 0]]
    """
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    for start in range(0, len(order), size):
        yield order[start : start + size]


def answer_scores(model: Model, tokens: TaskTokens) -> list[AnswerScore]:
    """How sure the model is of each answer, from one pass over prompt and answer."""
    scores = forced_scores(model, tokens, range(len(tokens.rows)))
    return [scores[i] for i in range(len(tokens.rows))]


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
        logits = model.logits(model.pad([rows[i] for i in batch])).cpu().numpy()
        for place, i in enumerate(batch):
            first = len(tokens.rows[i]) - 1
            of_answer = logits[place, first : first + len(whole[i])]
            scores[i] = _score(of_answer, whole[i], tokens, i)
    return scores


def _score(
    logits: np.ndarray, answer: Sequence[int], tokens: TaskTokens, prompt: int
) -> AnswerScore:
    """The score of an answer from the logits `[answer's tokens, vocabulary]` that precede each."""
    target, foil = tokens.target[prompt], tokens.foil[prompt]
    at = logits[tokens.last[prompt] - len(tokens.rows[prompt]) + 1]
    right = float(at[target])
    chosen = logits[np.arange(len(answer)), list(answer)].astype(np.float64)
    log_probability = float((chosen - logsumexp(logits.astype(np.float64), axis=1)).sum())
    return AnswerScore(
        right - float(at[foil]) if foil >= 0 else None,
        right - float(np.delete(at, target).max()),
        log_probability,
    )
