"""Content: what a task declares that a prompt is about, where the prompt says it word for word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WORD = re.compile(r"\w+|[^\w\s]")


def words_of(text: str) -> tuple[str, ...]:
    """The words and signs of a text, whatever their case.

    >>> words_of("Ann's keys.")
    ('ann', "'", 's', 'keys', '.')
    """
    return tuple(WORD.findall(text.casefold()))


@dataclass(frozen=True, eq=False)
class Content:
    """A column of a task's groups, as far as its values stand in the prompts.

    Attributes:
        own: the value of every prompt, whole numbers from 0, `[prompts]`.
        said: which values stand in a prompt, word for word: `prompt · values + value` of each.
    """

    own: np.ndarray
    said: np.ndarray

    def differs(self, pairs: np.ndarray) -> np.ndarray:
        """Whether two prompts were made to differ in it: each says its own value and not the other.

        Args:
            pairs: places of two prompts, `[pairs, 2]`.

        Returns:
            bool, `[pairs]`.
        """
        first, second = pairs.T
        says = self._says
        own = says(first, first) & says(second, second)
        apart: np.ndarray = own & ~says(first, second) & ~says(second, first)
        return apart

    def _says(self, prompts: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Whether each prompt says the value of the other one."""
        return np.isin(prompts * (int(self.own.max()) + 1) + self.own[others], self.said)


def content_of(texts: Sequence[str], values: Sequence[str]) -> Content:
    """Where the values of a column stand in the prompts: as whole words, whatever their case.

    >>> asked = ["What is the capital of Peru?", "What is the capital of New Guinea?", "And here?"]
    >>> found = content_of(asked, ["Peru", "Guinea", "Peru"])
    >>> found.said.tolist()
    [0, 3]
    >>> found.differs(np.array([[0, 1], [1, 2]])).tolist()
    [True, False]
    """
    numbers: dict[tuple[str, ...], int] = {}
    own = np.array([numbers.setdefault(words_of(value), len(numbers)) for value in values])
    lengths = sorted({len(value) for value in numbers if value})
    said: list[int] = []
    for place, text in enumerate(texts):
        words = words_of(text)
        runs = (words[i : i + m] for m in lengths for i in range(len(words) - m + 1))
        found = {numbers[run] for run in runs if run in numbers}
        said += [place * len(numbers) + number for number in sorted(found)]
    return Content(own, np.array(said, dtype=int))
