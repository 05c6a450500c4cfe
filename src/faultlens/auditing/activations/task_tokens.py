"""Task tokens: a task as a model reads it, its prompts and answers in token ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np

from faultlens.auditing.activations.answer_tokens import AnswerTokens
from faultlens.corpus.task import Prompt, Task
from faultlens.errors import UserError
from faultlens.models.model import Model
from faultlens.models.start_token import start_of

NEW_TOKENS = 8  # decoded after each prompt
REPLY_TOKENS = 24  # after a chat's, whose reply may repeat a sentence before it answers
BATCH = 64  # prompts run together, and the least that are decoded together
DECODED = 8192  # tokens decoded together: each step reads all weights, whatever the number of rows


@dataclass(frozen=True, eq=False)
class TaskTokens:
    """A task in the model's tokens.

    Target and foil are compared at the first token in which they differ; what they share before it
    ("the landlord", "the clerk") is put behind the prompt. Where one begins with the other there is
    no such token: the pair is compared nowhere, and the target stands with its first token.

    Attributes:
        rows: the prompts' ids, the start token first (BOS, another, or none).
        target: the target's token that is scored, `[prompts]`.
        foil: the foil's token at the same place, `[prompts]`; -1 where there is none.
        shared: by prompt the tokens that target and foil share at their start; empty: none.
        answers: by prompt all tokens of the target; empty: each is the one token `target`.
        foils: by prompt all tokens of the foil, empty where there is none; empty: not known.
        accepted: by prompt the tokens with which further right answers go on where the target is
            scored; empty: there are none. An answer that parts from the target before that place,
            or goes on as the foil does, has none.
        offsets: by prompt where each token of its text begins and ends in it, in characters; empty:
            not known.
        own_bos: by prompt whether its text begins with the start token, which is not put in front
            again.
        n_start: how many ids stand in front of each prompt: 1 for BOS, 0 for nothing.
        leads: by prompt how many of its answers' tokens are the words before them in a reply;
            empty: none.
        new_tokens: how many are decoded after each prompt.
        foil_alone: whether a right answer is compared with the foil alone, as choices are, and not
            with all other tokens; every prompt then has a foil.
    """

    rows: list[list[int]]
    target: np.ndarray
    foil: np.ndarray
    shared: Sequence[list[int]] = ()
    answers: Sequence[list[int]] = ()
    foils: Sequence[list[int]] = ()
    accepted: Sequence[list[int]] = ()
    offsets: Sequence[list[tuple[int, int]]] = ()
    own_bos: Sequence[bool] = ()
    n_start: int = 1
    leads: Sequence[int] = ()
    new_tokens: int = NEW_TOKENS
    foil_alone: bool = False

    def lead(self, prompt: int) -> int:
        """How many tokens of a prompt's answers are the words before them."""
        return self.leads[prompt] if self.leads else 0

    @cached_property
    def scored(self) -> list[list[int]]:
        """The prompts with what target and foil share: after each, target and foil part ways."""
        if not self.shared:
            return self.rows
        return [row + shared for row, shared in zip(self.rows, self.shared, strict=True)]

    @cached_property
    def last(self) -> np.ndarray:
        """The position of each scored row's last token, what stands in front counted."""
        return np.array([len(row) - 1 for row in self.scored])

    def right(self, prompts: np.ndarray) -> np.ndarray:
        """The tokens that are right where each prompt is scored, the target's first.

        `[prompts, most right tokens of any]`, padded with the target's.
        """
        found = [
            [int(self.target[i]), *(self.accepted[i] if self.accepted else ())] for i in prompts
        ]
        most = max((len(tokens) for tokens in found), default=1)
        return np.array([tokens + tokens[:1] * (most - len(tokens)) for tokens in found])

    @property
    def own(self) -> list[list[int]]:
        """By prompt its own tokens, without what stands in front."""
        return [row[self.n_start :] for row in self.rows]

    @property
    def start(self) -> list[int]:
        """What stands in front of every prompt."""
        return self.rows[0][: self.n_start]

    @property
    def whole_answers(self) -> Sequence[list[int]]:
        """By prompt all tokens of the target."""
        return self.answers or [[int(token)] for token in self.target]

    @property
    def targets_of_several_tokens(self) -> int:
        return sum(len(answer) - self.lead(i) > 1 for i, answer in enumerate(self.answers))

    @property
    def foils_of_several_tokens(self) -> int:
        return sum(len(foil) - self.lead(i) > 1 for i, foil in enumerate(self.foils))

    @property
    def foils_not_compared(self) -> int:
        """Foils that begin with the target, or the target with them."""
        return sum(bool(ids) and at < 0 for ids, at in zip(self.foils, self.foil, strict=False))


@dataclass(frozen=True)
class PromptTokens:
    """One prompt in the model's tokens; the fields are those of `TaskTokens`."""

    row: list[int]
    n_start: int
    own_bos: bool
    offsets: list[tuple[int, int]]
    answer: list[int]
    wrong: list[int]
    accepted: list[list[int]]
    lead: int = 0
    in_chat: bool = False

    @cached_property
    def parting(self) -> int | None:
        """The first place at which target and foil differ; None if one begins with the other."""
        return _parting(self.answer, self.wrong)

    @property
    def place(self) -> int:
        """The place among the answer's tokens at which it is scored."""
        return self.lead if self.parting is None else self.parting

    @property
    def target(self) -> int:
        return self.answer[self.place]

    @property
    def foil(self) -> int:
        return -1 if self.parting is None else self.wrong[self.parting]

    @property
    def shared(self) -> list[int]:
        return self.answer[: self.place]

    @property
    def further(self) -> list[int]:
        """The tokens with which further right answers go on where the target is scored."""
        n = len(self.shared)
        goes_on = {ids[n] for ids in self.accepted if _begins(ids, self.shared)}
        return sorted(goes_on - {self.target, self.foil})

    @property
    def new_tokens(self) -> int:
        """How many tokens may follow the prompt."""
        least = REPLY_TOKENS if self.in_chat else NEW_TOKENS
        return max(least, len(self.answer), len(self.wrong))


def tokenize(task: Task, model: Model, start: Sequence[int] | None = None) -> TaskTokens:
    """The task in tokens.

    Args:
        start: what stands in front of each prompt; None: the model's own start token, and nothing
            in front of what a chat template renders.

    Raises UserError for a prompt that leaves no room to answer, and for an answer that no tokens
    behind its prompt read as.
    """
    answers = AnswerTokens(model)
    before = start
    if before is None:
        in_chat = all(prompt.rendered for prompt in task.prompts)
        before = () if in_chat else start_of(model).ids
    prompts = [tokenize_prompt(prompt, model, before, answers) for prompt in task.prompts]
    for number, tokens in enumerate(prompts, start=1):
        if len(tokens.row) <= tokens.n_start:
            raise UserError(
                f"task {task.name}: prompt {number} has no tokens but what stands in front of it: "
                "expected at least one"
            )
        if len(tokens.row) + tokens.new_tokens > model.context:
            raise UserError(
                f"task {task.name}: prompt {number} has {len(tokens.row)} tokens, and "
                f"{tokens.new_tokens} more are decoded: expected at most {model.context} in all, "
                "the model's context; shorten the prompt"
            )
    return collected(prompts)


def tokenize_prompt(
    prompt: Prompt, model: Model, start: Sequence[int], answers: AnswerTokens | None = None
) -> PromptTokens:
    """A prompt and its answers in tokens; its own text is tokenised once.

    Args:
        start: what stands in front of the prompt.
        answers: finds answers' tokens; what it has found serves further prompts.
    """
    before, offsets = model.ids_and_offsets(prompt.text)
    own = model.after_start(before, start)
    answers = answers or AnswerTokens(model)
    answer = answers.of(prompt, before, prompt.lead + prompt.target)
    return PromptTokens(
        [*start, *own],
        len(start),
        len(own) < len(before),
        offsets[len(before) - len(own) :],
        answer,
        [] if prompt.foil is None else answers.of(prompt, before, prompt.lead + prompt.foil),
        [answers.of(prompt, before, prompt.lead + other) for other in prompt.accepted],
        _of_lead(prompt, before, answer, answers),
        prompt.rendered,
    )


def _of_lead(prompt: Prompt, before: list[int], answer: list[int], answers: AnswerTokens) -> int:
    """How many of an answer's tokens are those of the lead before it."""
    words = prompt.lead.rstrip()
    if not words:
        return 0
    lead = answers.of(prompt, before, words)
    same = (i for i, (one, other) in enumerate(zip(lead, answer, strict=False)) if one != other)
    return min(next(same, len(lead)), len(answer) - 1)


def collected(prompts: Sequence[PromptTokens]) -> TaskTokens:
    """The tokens of a task by those of its prompts."""
    accepted = [tokens.further for tokens in prompts]
    return TaskTokens(
        [tokens.row for tokens in prompts],
        np.array([tokens.target for tokens in prompts]),
        np.array([tokens.foil for tokens in prompts]),
        [tokens.shared for tokens in prompts],
        [tokens.answer for tokens in prompts],
        [tokens.wrong for tokens in prompts],
        accepted if any(accepted) else (),
        [tokens.offsets for tokens in prompts],
        [tokens.own_bos for tokens in prompts],
        prompts[0].n_start,
        [tokens.lead for tokens in prompts] if any(tokens.lead for tokens in prompts) else (),
        REPLY_TOKENS if prompts[0].in_chat else NEW_TOKENS,
    )


def _begins(ids: Sequence[int], with_: Sequence[int]) -> bool:
    """Whether ids begin with others, and go on."""
    return list(ids[: len(with_)]) == list(with_) and len(ids) > len(with_)


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


def by_length(
    rows: Sequence[Sequence[int]], size: int = BATCH, equal: bool = False
) -> Iterator[list[int]]:
    """Indices of `rows` in batches, the shortest rows first, so that little is padded.

    Args:
        equal: only rows of one length are put together, for a model that padding would disturb.

    >>> list(by_length([[1, 2, 3], [1], [1, 2], [4]], size=2))
    [[1, 3], [2, 0]]
    """
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    alike = groupby(order, key=lambda i: len(rows[i])) if equal else [(0, order)]
    for _, group in alike:
        found = list(group)
        for start in range(0, len(found), size):
            yield found[start : start + size]


def decoded_together(
    rows: Sequence[Sequence[int]], new_tokens: int, equal: bool = False
) -> Iterator[list[int]]:
    """As `by_length`, in batches of about one size: more than `BATCH` rows where these are short.

    Args:
        new_tokens: that follow each row, at most.

    >>> [len(batch) for batch in decoded_together([[1] * 20] * 300, 12)]
    [150, 150]
    """
    longest = max((len(row) for row in rows), default=0) + new_tokens
    batches = -(-len(rows) // max(BATCH, DECODED // max(longest, 1)))
    return by_length(rows, max(1, -(-len(rows) // max(batches, 1))), equal)
