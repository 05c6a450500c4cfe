"""Before anything is tested: which prompts belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from faultlens.auditing.result import PromptGroups
from faultlens.corpus.content import content_of
from faultlens.corpus.near_duplicates import (
    MOST_TEXTS,
    connected,
    near_duplicates,
    repeats,
    without_frame,
)
from faultlens.errors import UserError

NONE = "none"
"""In place of columns: every prompt stands by itself."""
LEAST_GROUPS = 10  # below which exchanging them tells little
MOST_ALIKE = 0.1  # of the prompts in one group of near-duplicates; beyond it they fill a template


@dataclass(frozen=True, eq=False)
class Grouping:
    """Which prompts belong together.

    Attributes:
        record: what they share, and how many groups there are.
        blocks: the group of every prompt, whole numbers `[prompts]`; None: each by itself.
        parts: which prompts of a group repeat one another, or nearly, whole numbers `[prompts]`;
            None: a group is no more than that.
        warnings: what a reader should know of it, a sentence each.
    """

    record: PromptGroups
    blocks: np.ndarray | None
    warnings: Sequence[str] = ()
    parts: np.ndarray | None = None


def group_prompts(
    texts: Sequence[str],
    factors: Mapping[str, Sequence[str]],
    declared: Mapping[str, Sequence[str]],
    chosen: Sequence[str] = (),
) -> Grouping:
    """Group prompts that share a column's value, or nearly their text.

    Where several columns are named, prompts that share the value of any of them belong together,
    and so do those that belong to a common third. Near-duplicates are looked for among prompts that
    have the same level of every factor: two that differ in one were made to differ; what all begin
    and end with, as a system prompt, does not count. Nor are they duplicates where all prompts of
    the same levels fill one form with what the task declares, three names or questions at least:
    the factors then tell of the form, and the groups of what fills it. Where near-duplicates are so
    many that a tenth of all prompts make one group, they fill a template, and only prompts that
    repeat another stay grouped.

    Args:
        texts: the prompts.
        factors: for each factor that was brought the level of every prompt.
        declared: for each column of the task's own groups the value of every prompt.
        chosen: columns, of either; empty: those that are declared; `none`: nothing is grouped.

    Raises:
        UserError: a column that there is not, or columns that leave fewer than ten groups.
    """
    n = len(texts)
    if tuple(chosen) == (NONE,):
        return Grouping(PromptGroups(groups=n, largest=min(n, 1)), None)
    columns = {**factors, **declared}
    for name in chosen:
        if name not in columns:
            raise UserError(
                f"no column {name!r} to group prompts by: expected {NONE}, or one or more of "
                f"{', '.join(columns) or 'none (the prompts have no factors and no groups)'}"
            )
    named = list(chosen or declared)
    warnings: list[str] = []
    blocks = connected(n, [np.array(columns[name], dtype=str) for name in named])
    if named and _count(blocks) < LEAST_GROUPS:
        few = f"{_count(blocks)} groups of prompts that share neither"
        if chosen:
            raise UserError(
                f"groups by {', '.join(named)} leave {few}: expected at least {LEAST_GROUPS}; name "
                "fewer columns, or one with more values"
            )
        warnings.append(
            f"the task's groups, by {', '.join(named)}, leave {few}: prompts are taken as "
            "independent"
        )
        named, blocks = [], np.arange(n)
    same, near = repeats(texts), _near(texts, factors, declared)
    if _fills_a_template(near, same, n):
        alike = n - _count(near)
        warnings.append(
            f"{alike} of {n} prompts differ from another in a tenth of their words at most, as "
            "those do that fill one template: they are taken as independent; name what belongs "
            "together with --groups"
        )
        near = same
    blocks = connected(n, [blocks, near])
    record = _record(named, blocks, same, near)
    if n > MOST_TEXTS:
        warnings.append(
            f"near-duplicates are looked for among {MOST_TEXTS:,} prompts at most: of {n:,} only "
            "those that repeat another are grouped"
        )
    said = [*_said(record, n), *warnings]
    nested = bool(named) and _count(near) < n
    return Grouping(record, blocks if record.grouped else None, said, near if nested else None)


def _near(
    texts: Sequence[str],
    factors: Mapping[str, Sequence[str]],
    declared: Mapping[str, Sequence[str]],
) -> np.ndarray:
    levels = list(zip(*factors.values(), strict=True)) if factors else None
    if len(texts) > MOST_TEXTS:
        return repeats(texts)
    contents = [content_of(texts, values) for values in declared.values()]
    return near_duplicates(without_frame(texts), levels, contents)


def _fills_a_template(near: np.ndarray, same: np.ndarray, n: int) -> bool:
    """Whether near-duplicates, beyond those that repeat another, are a kind of prompt by number."""
    if _count(near) == _count(same):
        return False
    distinct = near[np.unique(same, return_index=True)[1]]
    largest = int(np.bincount(distinct).max())
    return largest > max(MOST_ALIKE * n, 2) or _count(near) < min(LEAST_GROUPS, _count(same))


def _count(numbers: np.ndarray) -> int:
    return len(np.unique(numbers))


def _record(
    columns: list[str], blocks: np.ndarray, same: np.ndarray, near: np.ndarray
) -> PromptGroups:
    sizes = np.bincount(blocks)
    return PromptGroups(
        columns=columns,
        groups=_count(blocks),
        grouped=int(sizes[sizes > 1].sum()),
        largest=int(sizes.max(initial=0)),
        repeated=len(same) - _count(same),
        nearly=_count(same) - _count(near),
    )


def _said(record: PromptGroups, n: int) -> list[str]:
    """That prompts are grouped because their texts are alike; columns were asked for."""
    parts = []
    if record.repeated:
        parts.append(f"{record.repeated} of {n} prompts repeat another word for word")
    if record.nearly:
        of = f"{record.nearly} more" if parts else f"{record.nearly} of {n} prompts"
        parts.append(f"{of} differ from another in a tenth of their words at most")
    if not parts:
        return []
    return [f"{' and '.join(parts)}: they are tested as {record.groups} groups, not as prompts"]
