"""Random outcomes where prompts belong together: labels are permuted by block, not one by one.

Prompts that share a document, a name or nearly their text share some of their outcome too. Labels
that are dealt out one by one forget that, and a feature that goes with the blocks then seems to go
with the outcome. A random outcome here deals each block the labels of another one.

A block may hold parts that belong together even more closely, such as prompts that repeat one
another among those that share a name: a part then gets the labels of a part.
"""

from __future__ import annotations

import numpy as np

from faultlens.stats.label_null import random_sets
from faultlens.stats.strata import stratified_sets

LEAST_ALIKE = 10  # blocks of about one size, among which labels are exchanged
CELLS = 4_000_000  # permutations × rows held at once
IN_CACHE = 100_000  # permutations × rows dealt at once
AMONG_A_PART = 1e-6  # of what decides among equal labels: the rest is the same for all of a part


def outcome_sets(
    failed: np.ndarray,
    permutations: int,
    rng: np.random.Generator,
    *,
    strata: np.ndarray | None = None,
    blocks: np.ndarray | None = None,
    parts: np.ndarray | None = None,
) -> np.ndarray:
    """Random failure sets with the margins of the outcome, by block where there are blocks.

    Args:
        failed: the outcome, boolean `[n]`.
        permutations: how many sets.
        rng: their source.
        strata: the stratum of each row, whole numbers `[n]`, within which the outcome is permuted;
            None: all rows are one stratum.
        blocks: the block of each row, whole numbers `[n]`; None: each row is its own.
        parts: which rows of a block belong together within it, whole numbers `[n]`; None: none do.

    Returns:
        boolean, `[permutations, n]`, with as many failures in each stratum as the outcome has.
    """
    if blocks is not None:
        codes = np.zeros(len(failed), dtype=int) if strata is None else strata
        return block_sets(failed, blocks, codes, permutations, rng, parts)
    if strata is not None:
        return stratified_sets(failed, strata, permutations, rng)
    return random_sets(len(failed), int(np.count_nonzero(failed)), permutations, rng)


def block_sets(
    failed: np.ndarray,
    blocks: np.ndarray,
    strata: np.ndarray,
    permutations: int,
    rng: np.random.Generator,
    parts: np.ndarray | None = None,
) -> np.ndarray:
    """Failure sets in which each block has the labels of another block of about its size.

    Blocks are exchanged among those of their size, or of the next sizes where fewer than ten have
    it; a block that lies in one stratum, with others in that stratum. In each stratum a block's
    parts get the labels of the parts that the other block has in that stratum, from a random one
    on, in turn and over again where it has fewer; where it has none, labels that it has elsewhere.
    Where blocks differ in size, that may give too many failures or too few: as many labels, drawn
    at random, part by part, are changed. Blocks of one size, in one stratum, only change places,
    and then every arrangement of the blocks is equally likely: the test is exact if blocks are
    exchangeable.

    Args:
        failed: the outcome, boolean `[n]`.
        blocks: the block of each row, whole numbers from 0, `[n]`.
        strata: the stratum of each row, whole numbers from 0, `[n]`.
        permutations: how many sets.
        rng: their source.
        parts: which rows of a block belong together within it, whole numbers `[n]`; None: every row
            is a part.

    Returns:
        boolean, `[permutations, n]`. Reference: Good (2005), section 6.4.

    >>> failed, blocks = np.array([1, 1, 0, 0, 0, 0]) > 0, np.array([0, 0, 1, 1, 2, 2])
    >>> sets = block_sets(failed, blocks, np.zeros(6, dtype=int), 200, np.random.default_rng(0))
    >>> np.unique(sets.astype(int), axis=0).tolist()
    [[0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]]
    """
    n = len(failed)
    sets = np.zeros((permutations, n), dtype=bool)
    layout = _Layout(failed, blocks, strata, parts)
    step = max(1, CELLS // max(1, n))
    for start in range(0, permutations, step):
        part = sets[start : start + step]
        scores = layout.dealt(len(part), rng) + layout.ties(len(part), rng)
        for rows, failures in layout.margins:
            if failures:
                order = np.argpartition(-scores[:, rows], failures - 1, axis=1)[:, :failures]
                np.put_along_axis(part, rows[order], True, axis=1)
    return sets


class _Layout:
    """Where the labels of each block lie, by stratum."""

    def __init__(
        self, failed: np.ndarray, blocks: np.ndarray, strata: np.ndarray, parts: np.ndarray | None
    ) -> None:
        self.blocks = np.unique(blocks, return_inverse=True)[1]
        self.strata = np.unique(strata, return_inverse=True)[1]
        count = int(self.strata.max()) + 1
        cells, self.cell = np.unique(self.blocks * count + self.strata, return_inverse=True)
        self.place = np.full((int(self.blocks.max()) + 1, count), -1)  # by block and stratum
        self.place[cells // count, cells % count] = np.arange(len(cells))
        self.parted = parts is not None
        inside = np.arange(len(failed)) if parts is None else parts
        whole, self.part = np.unique(
            np.column_stack([self.cell, inside]), axis=0, return_inverse=True
        )
        order = np.argsort(self.part, kind="stable")
        self.part_size = np.bincount(self.part)
        self.part_start = np.cumsum(self.part_size) - self.part_size
        self.labels = failed[order]
        self.within = np.empty(len(failed), dtype=int)  # place of each row within its part
        self.within[order] = np.arange(len(failed)) - np.repeat(self.part_start, self.part_size)
        self.parts = np.bincount(whole[:, 0])  # by cell, how many
        self.first_part = np.cumsum(self.parts) - self.parts
        self.number = self.part - self.first_part[self.cell]  # of each row's part within its cell
        rows = [np.flatnonzero(self.strata == s) for s in range(count)]
        self.margins = [(r, int(np.count_nonzero(failed[r]))) for r in rows]
        self.by_block = np.argsort(self.blocks, kind="stable")
        self.sizes = np.bincount(self.blocks)
        self.first = np.cumsum(self.sizes) - self.sizes
        self.all_labels = failed[self.by_block]
        strata_of = (self.place >= 0).sum(axis=1)
        home = np.where(strata_of == 1, np.argmax(self.place >= 0, axis=1), -1)
        self.alike = [
            members[part]
            for members in (np.flatnonzero(home == stratum) for stratum in np.unique(home))
            for part in _of_like_size(self.sizes[members])
        ]

    def dealt(self, permutations: int, rng: np.random.Generator) -> np.ndarray:
        """Labels from other blocks, 0/1 `[permutations, n]`, whatever their sum."""
        other = np.empty((permutations, len(self.place)), dtype=int)
        for members in self.alike:
            keys = rng.random((permutations, len(members)))
            other[:, members] = members[np.argsort(keys, axis=1)]
        first = rng.integers(0, 2**31, (permutations, len(self.parts))).astype(np.uint32)
        labels = np.empty((permutations, len(self.blocks)))
        none = np.empty(labels.shape, dtype=bool)
        step = max(1, IN_CACHE // len(self.blocks))
        for start in range(0, permutations, step):
            rows = slice(start, start + step)
            source = self._cells(other[rows])
            none[rows] = source < 0
            labels[rows] = self._labels(source, first[rows])
        if none.any():
            block = other[:, self.blocks][none]
            place = self.first[block] + self._drawn(none, rng) % self.sizes[block]
            labels[none] = self.all_labels[place]
        return labels

    def _cells(self, other: np.ndarray) -> np.ndarray:
        """Where the labels of each row come from: the cell that its block's other has there, or −1.

        Args:
            other: the block whose labels each block gets, `[permutations, blocks]`.
        """
        at = (other * self.place.shape[1])[:, self.blocks]
        at += self.strata
        cells: np.ndarray = self.place.ravel().take(at)
        return cells

    def _labels(self, cells: np.ndarray, first: np.ndarray) -> np.ndarray:
        """The label that each row gets of its cell, 0/1 `[permutations, n]`; anything of cell −1.

        Args:
            cells: `[permutations, n]`.
            first: the part that the first one of each cell gets its labels from, uint32
                `[permutations, cells]`, modulo their number.
        """
        which = first[:, self.cell]
        which += self.number.astype(np.uint32)
        which %= self.parts.astype(np.uint32)[cells]
        part = self.first_part[cells]
        part += which
        at = self.part_start[part]
        if self.part_size.max() > 1:
            at += self.within % self.part_size[part]
        labels: np.ndarray = self.labels.astype(float)[at]
        return labels

    def _drawn(self, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A random number for each chosen row, the same for the rows of a part."""
        if not self.parted:
            return rng.integers(0, 2**31, int(np.count_nonzero(chosen)))
        parts = rng.integers(0, 2**31, (len(chosen), len(self.part_size)))
        rows: np.ndarray = parts[:, self.part][chosen]
        return rows

    def ties(self, permutations: int, rng: np.random.Generator) -> np.ndarray:
        """What decides among equal labels, from 0 to 1, `[permutations, n]`: part after part."""
        rows = rng.random((permutations, len(self.part)))
        if not self.parted:
            return rows
        parts = rng.random((permutations, len(self.part_size)))[:, self.part]
        found: np.ndarray = parts + (rows - parts) * AMONG_A_PART
        return found


def _of_like_size(sizes: np.ndarray) -> list[np.ndarray]:
    """Blocks in parts of like size, at least ten in each where there are as many."""
    parts: list[np.ndarray] = []
    waiting: list[int] = []
    for size in np.unique(sizes):
        waiting += np.flatnonzero(sizes == size).tolist()
        if len(waiting) >= LEAST_ALIKE:
            parts.append(np.array(waiting))
            waiting = []
    if waiting:
        rest = np.array(waiting)
        parts = [*parts[:-1], np.concatenate([*parts[-1:], rest])]
    return parts
