"""Alignment: which token of one prompt plays the same role as which token of another.

A level of a factor that stands in a prompt ("the keys", "Mary") is one unit, whatever its number of
tokens; every other token is a unit by itself. A token's role is how many units it is from the end
of the prompt, and how many tokens from the end of its unit. So the last token of the object has one
role in "gave the keys to" and in "handed a drink to". Without factors a role is the distance from
the end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from faultlens.auditing.activations.task_tokens import TaskTokens
from faultlens.corpus.task import Prompt, Task

NO_ROLE = -1  # what stands in front of a prompt


@dataclass(frozen=True, eq=False)
class TokenAlignment:
    """The role of every token of every scored row.

    Attributes:
        roles: for each prompt `[tokens of its scored row]`; -1 at what stands in front.
        n_roles: how many roles there are.
    """

    roles: list[np.ndarray]
    n_roles: int

    @classmethod
    def of(cls, task: Task, tokens: TaskTokens) -> TokenAlignment:
        """The roles by the prompts' factors."""
        known: dict[tuple[int, int], int] = {}
        numbered = []
        for i, prompt in enumerate(task.prompts):
            spans = level_spans(prompt.text, prompt.factors)
            units = _units(tokens.offsets[i], spans)
            beyond = [(-i, 0) for i in range(1, len(tokens.scored[i]) - len(tokens.rows[i]) + 1)]
            roles = [*_from_the_end(units), *beyond]
            own = [known.setdefault(role, len(known)) for role in roles]
            numbered.append(np.array([*[NO_ROLE] * tokens.n_start, *own]))
        return cls(numbered, len(known))


def level_spans(text: str, factors: Mapping[str, str]) -> list[tuple[int, int]]:
    """Where the levels stand in the text as whole words, in characters; overlaps are merged."""
    found = sorted(
        (match.start(), match.end())
        for level in set(factors.values())
        if level.strip()
        for match in re.finditer(rf"(?<!\w){re.escape(level.strip())}(?!\w)", text)
    )
    merged: list[tuple[int, int]] = []
    for start, end in found:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _units(offsets: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> list[int]:
    """Numbers the units along the prompt: the unit of every token."""
    units: list[int] = []
    unit, inside = -1, None
    for start, end in offsets:
        # A token may hold the space before its word: what counts is its last character.
        span = next((s for s in spans if s[0] < end and end - 1 < s[1] and start < end), None)
        if span is None or span != inside:
            unit += 1
        inside = span
        units.append(unit)
    return units


def _from_the_end(units: Sequence[int]) -> list[tuple[int, int]]:
    """(units from the end, tokens from the unit's end) of every token."""
    last = units[-1] if units else 0
    roles = []
    for place, unit in enumerate(units):
        after = sum(other == unit for other in units[place + 1 :])
        roles.append((last - unit, after))
    return roles


def tokens_of_factor(
    prompt: Prompt, factor: str, offsets: Sequence[tuple[int, int]], n_start: int
) -> np.ndarray:
    """The positions in its row of the tokens of a prompt's level of one factor.

    Args:
        offsets: where each token of the text stands in it.
        n_start: how many ids stand in front.
    """
    spans = level_spans(prompt.text, {factor: prompt.factors[factor]})
    held = [
        any(span[0] < end and end - 1 < span[1] and start < end for span in spans)
        for start, end in offsets
    ]
    return n_start + np.flatnonzero(held)
