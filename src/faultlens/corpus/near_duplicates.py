"""Prompts that say nearly the same: they are no independent evidence of anything."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

NEAR = 0.1  # of the longer text's words: that many at most are put in, left out or replaced
MOST_TEXTS = 5_000  # that are compared with one another; 13 million pairs take seconds
BLOCK = 1_000  # texts compared with all at once
FIRST_CHARACTER = 0xE000  # words are numbered in characters from here on, above the surrogates

WORD = re.compile(r"\w+|[^\w\s]")


def repeats(texts: Sequence[str]) -> np.ndarray:
    """Numbers the texts, equal ones alike: case, and white space between words, do not count.

    >>> repeats(["Ann gave", "ann  gave", "Ann gave."]).tolist()
    [0, 0, 1]
    """
    numbers: dict[str, int] = {}
    return np.array(
        [numbers.setdefault(" ".join(t.casefold().split()), len(numbers)) for t in texts]
    )


def near_duplicates(texts: Sequence[str], alike: Sequence[object] | None = None) -> np.ndarray:
    """Numbers the texts, those that are nearly the same alike.

    Two texts are nearly the same if at most a tenth of the longer one's words has to be put in,
    left out or replaced to make one of the other (Levenshtein distance over words and signs): in a
    text of fewer than ten words, none. What is nearly the same as one text of a group belongs to
    the group. Of more than 5,000 texts only those that repeat each other are found.

    Args:
        texts: the prompts.
        alike: for each text what it must share with another to be compared with it, e.g. its
            factors' levels; None: all are compared.

    Returns:
        whole numbers from 0, `[texts]`.

    >>> once = "the war went on from the year 1732 to the year 17"
    >>> near_duplicates([once, once + " or", "the war went on"]).tolist()
    [0, 0, 1]
    """
    same = repeats(texts)
    if len(texts) > MOST_TEXTS:
        return same
    parts: dict[object, list[int]] = {}
    for i, shared in enumerate(alike if alike is not None else [None] * len(texts)):
        parts.setdefault(shared, []).append(i)
    written = _as_characters(texts)
    first = np.unique(same, return_index=True)[1]
    edges = [np.column_stack([np.arange(len(texts)), first[same]])]
    for members in parts.values():
        if len(members) > 1:
            edges.append(_pairs(written, np.array(members)))
    rows, columns = np.concatenate(edges).T
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(texts), len(texts)))
    found = connected_components(graph, directed=False)[1]
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(int(number), len(numbers)) for number in found])


def _as_characters(texts: Sequence[str]) -> list[str]:
    """Each text with a character for every word: what compares texts compares words so."""
    numbers: dict[str, int] = {}
    return [
        "".join(
            chr(FIRST_CHARACTER + numbers.setdefault(word, len(numbers)))
            for word in WORD.findall(text.casefold())
        )
        for text in texts
    ]


def _pairs(written: Sequence[str], members: np.ndarray) -> np.ndarray:
    """Pairs of members that are nearly the same, `[pairs, 2]`."""
    texts = [written[i] for i in members]
    found = [np.empty((0, 2), dtype=int)]
    for start in range(0, len(texts), BLOCK):
        distance = cdist(
            texts[start : start + BLOCK],
            texts,
            scorer=Levenshtein.normalized_distance,
            score_cutoff=NEAR,
            dtype=np.float32,
        )
        row, column = np.nonzero(distance <= NEAR)
        pairs = np.column_stack([row + start, column])
        found.append(members[pairs[pairs[:, 0] < pairs[:, 1]]])
    return np.concatenate(found)
