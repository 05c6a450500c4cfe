"""Shared prompts: which prompt of one audit is which of the other."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from faultlens.auditing.result import PromptOutcome


@dataclass(frozen=True, eq=False)
class SharedPrompts:
    """The prompts that two audits have in common, in the order of the first.

    Attributes:
        first: their numbers in the first, from 0, `[shared]`.
        second: their numbers in the second, `[shared]`.
    """

    first: np.ndarray
    second: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def shared_prompts(
    first: Sequence[PromptOutcome], second: Sequence[PromptOutcome]
) -> SharedPrompts:
    """Pair the prompts of the same text and target, each once.

    One that stands in an audit several times is paired as often as the other has it, in order.
    """
    places: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)
    for place, outcome in enumerate(second):
        places[outcome.prompt, outcome.target].append(place)
    pairs = [
        (place, places[outcome.prompt, outcome.target].popleft())
        for place, outcome in enumerate(first)
        if places[outcome.prompt, outcome.target]
    ]
    both = np.array(pairs, dtype=np.int64).reshape(len(pairs), 2)
    return SharedPrompts(both[:, 0], both[:, 1])
