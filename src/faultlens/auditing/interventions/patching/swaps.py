"""Swaps: the same prompts with one level of a factor exchanged for another, and how tokens pair up.

A level can be exchanged where its words stand in the prompt. They must stand there exactly as often
as a level of this factor stands in most prompts (a subject's name, say, twice), as whole words, in
the same case; and not in an answer, for then question and answer would change together.

The level that it is exchanged for is one for all its prompts, and chosen without a look at any
outcome after the exchange: of the levels that forward selection did not take, those that leave the
number of tokens as it is in more than half of the prompts; of these (or, where there is none, of
all) the one on most prompts of the task; between equals the first of the alphabet. A prompt in
which its words stand already is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from faultlens.auditing.activations.task_tokens import (
    PromptTokens,
    TaskTokens,
    collected,
    tokenize_prompt,
)
from faultlens.corpus.task import Prompt, Task
from faultlens.models.model import Model

LEAST_PAIRS = 5  # prompts in which a level can be exchanged, below which it is not


@dataclass(frozen=True, eq=False)
class LevelSwap:
    """One level exchanged for another in every prompt that allows it.

    Attributes:
        prompts: which of the task's prompts were swapped, their indices; a pair each.
        task: the same prompts after the exchange.
        tokens: of that task.
        partners: by pair, for each position of the original's scored row the position in the
            exchanged one's that it pairs up with, -1 where there is none and at what stands in
            front.
        left_out: prompts at the level in which it could not be exchanged.
    """

    factor: str
    level: str
    swapped_for: str
    prompts: np.ndarray
    task: Task
    tokens: TaskTokens
    partners: list[list[int]]
    left_out: int

    def __len__(self) -> int:
        return len(self.prompts)


def swap_level(
    task: Task,
    tokens: TaskTokens,
    model: Model,
    factor: str,
    level: str,
    taken: Collection[str] = (),
) -> LevelSwap | str:
    """Exchange a level in every prompt that has it; or the reason, a clause, why it cannot be.

    Args:
        tokens: the task's.
        taken: levels of the factor that forward selection took.
    """
    if factor not in task.factors or level not in task.factors[factor]:
        return "it describes the prompts from outside: no words of theirs are the level"
    levels = task.factors[factor]
    standing = [occurrences(p.text, own) for p, own in zip(task.prompts, levels, strict=True)]
    most = Counter(standing).most_common(1)[0][0]
    if most == 0:
        return f"in most prompts the words of {factor!r} do not stand"
    here = [i for i, own in enumerate(levels) if own == level]
    if any(occurrences(a, level) for i in here for a in task.prompts[i].answers):
        return "its words are part of the answer, which would change with the question"
    fit = [i for i in here if standing[i] == most]
    others = [other for other in dict.fromkeys(levels) if other not in {level, *taken}]
    made = {other: _exchanged(task, tokens, model, fit, factor, level, other) for other in others}
    made = {other: twins for other, twins in made.items() if len(twins) >= LEAST_PAIRS}
    if not made:
        return (
            f"in fewer than {LEAST_PAIRS} prompts it can be exchanged for a level of {factor!r} "
            "that forward selection did not take"
        )
    same_length = {
        other: sum(len(tokens.rows[i]) == len(twin.tokens.row) for i, twin in twins.items())
        for other, twins in made.items()
    }
    even = [other for other in made if same_length[other] > len(made[other]) / 2]
    count = Counter(levels)
    chosen = min(even or made, key=lambda other: (-count[other], other))
    twins = made[chosen]
    swapped = Task(task.name, tuple(twin.prompt for twin in twins.values()))
    swapped_tokens = replace(
        collected([twin.tokens for twin in twins.values()]), foil_alone=tokens.foil_alone
    )
    prompts = np.array(list(twins))
    partners = [
        aligned(tokens.scored[i], row, tokens.n_start)
        for i, row in zip(prompts, swapped_tokens.scored, strict=True)
    ]
    left_out = len(here) - len(twins)
    return LevelSwap(factor, level, chosen, prompts, swapped, swapped_tokens, partners, left_out)


@dataclass(frozen=True)
class _Twin:
    """A prompt after the exchange, and its tokens."""

    prompt: Prompt
    tokens: PromptTokens


def _exchanged(
    task: Task,
    tokens: TaskTokens,
    model: Model,
    fit: Sequence[int],
    factor: str,
    level: str,
    other: str,
) -> dict[int, _Twin]:
    """By index, the prompts with `other` in the place of `level`, where that can be done."""
    twins = {}
    for i in fit:
        prompt = task.prompts[i]
        texts = [prompt.text, *prompt.answers, *([prompt.foil] if prompt.foil else [])]
        if any(occurrences(text, other) for text in texts):
            continue
        swapped = replace(
            prompt,
            text=exchange(prompt.text, level, other),
            foil=prompt.foil and exchange(prompt.foil, level, other),
            lead=exchange(prompt.lead, level, other),
            factors={**prompt.factors, factor: other},
        )
        twin = tokenize_prompt(swapped, model, tokens.start)
        if len(twin.row) + twin.new_tokens > model.context:
            continue
        if twin.target != tokens.target[i] or (tokens.foil_alone and twin.foil < 0):
            continue  # another foil parts from the target elsewhere: margins could not be compared
        twins[i] = _Twin(swapped, twin)
    return twins


def _words(words: str) -> str:
    return rf"(?<!\w){re.escape(words)}(?!\w)"


def occurrences(text: str, words: str) -> int:
    """How often the words stand in a text, as whole words.

    >>> occurrences("the ball, the ballet, the ball's", "the ball")
    2
    """
    return len(re.findall(_words(words), text)) if words else 0


def exchange(text: str, words: str, others: str) -> str:
    """The text with other words wherever these stand as whole words.

    >>> exchange("Ann gave the keys to", "the keys", "a book")
    'Ann gave a book to'
    """
    return re.sub(_words(words), lambda match: others, text)


def aligned(original: Sequence[int], swapped: Sequence[int], n_start: int = 1) -> list[int]:
    """Which position of the swapped row each position of the original pairs up with, else -1.

    Rows of one length pair up position by position. Otherwise the tokens that both begin with do,
    then from the right those that both end with; of the two spans that are left, last with last.
    What stands in front of both, `n_start` ids, is never touched, and pairs up with nothing.

    >>> aligned([0, 5, 6, 7, 9], [0, 5, 8, 9])
    [-1, 1, -1, 2, 3]
    """
    if len(original) == len(swapped):
        return [*[-1] * n_start, *range(n_start, len(original))]
    shorter = min(len(original), len(swapped))
    most = shorter - 1  # the last token of both is where the answer is read
    begin = next((i for i in range(most) if original[i] != swapped[i]), most)
    end = next(
        (i for i in range(shorter - begin) if original[-1 - i] != swapped[-1 - i]),
        shorter - begin,
    )
    partners = [i if i < begin else -1 for i in range(len(original))]
    for back in range(1, end + 1):
        partners[-back] = len(swapped) - back
    if begin < len(original) - end and begin < len(swapped) - end:
        partners[len(original) - end - 1] = len(swapped) - end - 1
    partners[:n_start] = [-1] * n_start
    return partners


def reversed_partners(partners: Sequence[int], length: int) -> list[int]:
    """The same pairs seen from the other row, which has `length` positions."""
    back = [-1] * length
    for position, partner in enumerate(partners):
        if partner >= 0:
            back[partner] = position
    return back
