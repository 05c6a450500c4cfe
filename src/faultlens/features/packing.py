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
class Piece:
    """What is read in one go: a text, or one part of a text that is longer than the context."""

    text: int
    tokens: int  # those of the text, BOS not counted


Row = list[Piece]


@dataclass(frozen=True)
class Pass:
    """One forward pass: rows of one width, and the pieces in each, from left to right."""

    rows: list[Row]
    width: int


@dataclass(frozen=True)
class Group:
    """Texts that are read together, whole: by one pass, or by several where one text needs them."""

    texts: list[int]
    passes: list[Pass]


def plan(lengths: Sequence[Sequence[int]], bos: int, budget: int, row: int) -> Iterator[Group]:
    """Decide how texts are read.

    Texts come longest first; each is put into the first row with room for it. A text in several
    parts is a group by itself, in as many passes as the budget asks for.

    Args:
        lengths: for each text the tokens of each of its parts, at least one each.
        bos: 1 where BOS goes before each part, else 0.
        budget: positions of a pass, padding included; a row that is wider goes by itself.
        row: the width of a row that texts share; 0: each text has a row to itself.
    """
    whole = [text for text, parts in enumerate(lengths) if len(parts) == 1]
    pieces = [Piece(text, lengths[text][0]) for text in whole]
    for one in _passes(_rows(pieces, bos, row), bos, budget):
        yield Group([piece.text for line in one.rows for piece in line], [one])
    for text, parts in enumerate(lengths):
        if len(parts) > 1:
            alone = [[Piece(text, tokens)] for tokens in parts]
            yield Group([text], list(_passes(alone, bos, budget)))


def _rows(pieces: Sequence[Piece], bos: int, row: int) -> list[Row]:
    """First fit, longest first; `open_rows[r]` are the rows with room for `r` more."""
    rows: list[Row] = []
    open_rows: dict[int, list[Row]] = {}
    for piece in sorted(pieces, key=lambda piece: (-piece.tokens, piece.text)):
        needed = piece.tokens + bos
        room = next((r for r in range(needed, row + 1) if open_rows.get(r)), None)
        if room is None:
            line: Row = []
            rows.append(line)
            room = max(row, needed)
        else:
            line = open_rows[room].pop()
        line.append(piece)
        open_rows.setdefault(room - needed, []).append(line)
    return rows


def _passes(rows: Sequence[Row], bos: int, budget: int) -> Iterator[Pass]:
    """Rows in the order given, cut where the positions would pass the budget."""
    taken: list[Row] = []
    width = 0
    for line in rows:
        needed = sum(piece.tokens + bos for piece in line)
        if taken and (len(taken) + 1) * max(width, needed) > budget:
            yield Pass(taken, width)
            taken, width = [], 0
        taken.append(line)
        width = max(width, needed)
    if taken:
        yield Pass(taken, width)


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the tokens of a pass lie in its rows.

    Attributes:
        ids: token ids `[rows, width]`, int64.
        positions: of each token within its own text, `[rows, width]`; padding after the last text
            of a row counts as one more text.
        line, column: where each real token lies, BOS left out: piece after piece, `[tokens]`.
    """

    ids: np.ndarray
    positions: np.ndarray
    line: np.ndarray
    column: np.ndarray


def lay_out(rows: Pass, ids: Sequence[np.ndarray], bos_ids: Sequence[int]) -> Layout:
    """Put token ids into the rows of a pass.

    Args:
        rows: the plan of the pass.
        ids: of each piece, in the order of the rows, without BOS.
        bos_ids: what goes before each piece: BOS, or nothing.
    """
    shape = (len(rows.rows), rows.width)
    placed, positions = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    bos, lines, columns = len(bos_ids), [], []
    feed = iter(ids)
    for i, line in enumerate(rows.rows):
        start = 0
        for piece in line:
            first, end = start + bos, start + bos + piece.tokens
            placed[i, start:first] = bos_ids
            placed[i, first:end] = next(feed)
            positions[i, start:end] = np.arange(end - start)
            lines.append(np.full(piece.tokens, i))
            columns.append(np.arange(first, end))
            start = end
        positions[i, start:] = np.arange(rows.width - start)
    return Layout(placed, positions, np.concatenate(lines), np.concatenate(columns))
