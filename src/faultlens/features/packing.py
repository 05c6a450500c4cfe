"""Packing: which texts go through the model together, and where in the rows of a pass they lie.

Short texts share rows. A row that each text has to itself is mostly padding, and a pass over narrow
rows wastes the processor. Which texts share a row is decided from their lengths alone, so that the
same texts under the same budget are always read in the same shapes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

ROW = 96  # tokens of a row that short texts share; measured, see docs/performance.md


@dataclass(frozen=True)
class Part:
    """What is read without a break: a text, or a part of one that is longer than the context."""

    text: int
    tokens: int  # those of the text, BOS not counted


Row = list[Part]


@dataclass(frozen=True)
class Pass:
    """One forward pass: rows of one width, and the parts in each, from left to right."""

    rows: list[Row]
    width: int


@dataclass(frozen=True)
class PackedTexts:
    """Texts that are read together, whole: in one pass, or in several where one text needs them."""

    texts: list[int]
    passes: list[Pass]


def pack(
    lengths: Sequence[Sequence[int]], bos: int, budget: int, row: int
) -> Iterator[PackedTexts]:
    """Decide how texts are read.

    Texts come longest first; each is put into the first row with room for it. A text in several
    parts goes by itself, in as many passes as the budget asks for.

    Args:
        lengths: for each text the tokens of each of its parts, at least one each.
        bos: how many ids go before each part: 1 for BOS, 0 for nothing.
        budget: positions of a pass, padding included; a row that is wider goes by itself.
        row: the width of a row that texts share; 0: each text has a row to itself.
    """
    whole = [text for text, parts in enumerate(lengths) if len(parts) == 1]
    alone = [Part(text, lengths[text][0]) for text in whole]
    for one in _passes(_rows(alone, bos, row), bos, budget):
        yield PackedTexts([part.text for line in one.rows for part in line], [one])
    for text, parts in enumerate(lengths):
        if len(parts) > 1:
            rows = [[Part(text, tokens)] for tokens in parts]
            yield PackedTexts([text], list(_passes(rows, bos, budget)))


def _rows(parts: Sequence[Part], bos: int, row: int) -> list[Row]:
    """First fit, longest first; `open_rows[r]` are the rows with room for `r` more."""
    rows: list[Row] = []
    open_rows: dict[int, list[Row]] = {}
    for part in sorted(parts, key=lambda part: (-part.tokens, part.text)):
        needed = part.tokens + bos
        room = next((r for r in range(needed, row + 1) if open_rows.get(r)), None)
        if room is None:
            line: Row = []
            rows.append(line)
            room = max(row, needed)
        else:
            line = open_rows[room].pop()
        line.append(part)
        open_rows.setdefault(room - needed, []).append(line)
    return rows


def _passes(rows: Sequence[Row], bos: int, budget: int) -> Iterator[Pass]:
    """Rows in the order given, cut where the positions would pass the budget."""
    taken: list[Row] = []
    width = 0
    for line in rows:
        needed = sum(part.tokens + bos for part in line)
        if taken and (len(taken) + 1) * max(width, needed) > budget:
            yield Pass(taken, width)
            taken, width = [], 0
        taken.append(line)
        width = max(width, needed)
    if taken:
        yield Pass(taken, width)


@dataclass(frozen=True, eq=False)
class PassTokens:
    """The tokens of a pass, where they lie in its rows.

    Attributes:
        ids: token ids `[rows, width]`, int64.
        positions: of each token within its own text, `[rows, width]`; padding after the last text
            of a row counts as one more text.
        line, column: where each real token lies, BOS left out: part after part, `[tokens]`.
    """

    ids: np.ndarray
    positions: np.ndarray
    line: np.ndarray
    column: np.ndarray


def place(rows: Pass, ids: Sequence[np.ndarray], bos_ids: Sequence[int]) -> PassTokens:
    """Put token ids into the rows of a pass.

    Args:
        rows: the plan of the pass.
        ids: of each part, in the order of the rows, without BOS.
        bos_ids: what goes before each part: BOS, or nothing.
    """
    shape = (len(rows.rows), rows.width)
    placed, positions = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    bos, lines, columns = len(bos_ids), [], []
    feed = iter(ids)
    for i, line in enumerate(rows.rows):
        start = 0
        for part in line:
            first, end = start + bos, start + bos + part.tokens
            placed[i, start:first] = bos_ids
            placed[i, first:end] = next(feed)
            positions[i, start:end] = np.arange(end - start)
            lines.append(np.full(part.tokens, i))
            columns.append(np.arange(first, end))
            start = end
        positions[i, start:] = np.arange(rows.width - start)
    return PassTokens(placed, positions, np.concatenate(lines), np.concatenate(columns))
