"""Prompts that say nearly the same: they are no independent evidence of anything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from faultlens.corpus.content import WORD, Content, words_of

NEAR = 0.1  # of the longer text's words: that many at most are put in, left out or replaced
MOST_TEXTS = 5_000  # that are compared with one another; 13 million pairs take seconds
BLOCK = 1_000  # texts compared with all at once
LEAST_FRAME = 20  # words that all texts begin and end with: beside as many, two are a tenth
LEAST_FRAMED = 10  # different texts that have a frame
LEAST_FILLINGS = 3  # of one form; two texts that differ only in what they are about are a pair
FIRST_CHARACTER = 0xE000  # words are numbered in characters from here on, above the surrogates


def repeats(texts: Sequence[str]) -> np.ndarray:
    """Numbers the texts, equal ones alike: case, and white space between words, do not count.

    >>> repeats(["Ann gave", "ann  gave", "Ann gave."]).tolist()
    [0, 0, 1]
    """
    numbers: dict[str, int] = {}
    return np.array(
        [numbers.setdefault(" ".join(t.casefold().split()), len(numbers)) for t in texts]
    )


def without_frame(texts: Sequence[str]) -> list[str]:
    """The texts without the words that all of them begin and end with, where these are many.

    A system prompt, an instruction or a chat template makes no two questions alike. A frame counts
    from twenty words and ten different texts on: fewer words are a template that prompts fill.

    >>> asked = [f"You are {'very ' * 20} wise. Which is {n}?" for n in range(10)]
    >>> without_frame(asked)[7], without_frame(["the same"] * 10)[0]
    ('7', 'the same')
    """
    split = [WORD.findall(text) for text in texts]
    different = sorted({tuple(words) for words in split})
    if len(different) < LEAST_FRAMED:
        return list(texts)
    first, last = different[0], different[-1]  # what these share in front, all between them do
    front = _shared(first, last)
    backwards = sorted(words[: front - 1 if front else None : -1] for words in different)
    back = _shared(backwards[0], backwards[-1])
    if front + back < LEAST_FRAME:
        return list(texts)
    return [" ".join(words[front : len(words) - back]) for words in split]


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words two texts have in common from their first on."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def near_duplicates(
    texts: Sequence[str],
    alike: Sequence[object] | None = None,
    contents: Sequence[Content] = (),
) -> np.ndarray:
    """Numbers the texts, those that are nearly the same alike.

    Two texts are nearly the same if at most a tenth of the longer one's words has to be put in,
    left out or replaced to make one of the other (Levenshtein distance over words and signs): in a
    text of fewer than ten words, none. What is nearly the same as one text of a group belongs to
    the group. Of more than 5,000 texts only those that repeat each other are found.

    Args:
        texts: the prompts.
        alike: for each text what it must share with another to be compared with it, e.g. its
            factors' levels; None: all are compared.
        contents: what is declared of the texts. Where all texts that share what they must are
            nearly the same, and say at least three different things of these, they fill one form:
            those that say different things are no duplicates.

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
    pairs = []
    for members in map(np.array, parts.values()):
        if len(members) > 1:
            near = _pairs(written, members)
            pairs.append(near[~_fillings(members, near, contents)])
    return connected(len(texts), [same], pairs)


def connected(
    n: int, numberings: Sequence[np.ndarray], pairs: Sequence[np.ndarray] = ()
) -> np.ndarray:
    """Numbers `n` texts, alike those that are connected, directly or through others.

    Args:
        n: how many texts.
        numberings: whole numbers, `[n]` each: texts with the same number are connected.
        pairs: places of two texts that are connected, `[pairs, 2]` each.

    Returns:
        whole numbers from 0, in the order in which they first come, `[n]`.

    >>> connected(5, [np.array([7, 8, 9, 8, 6])], [np.array([[0, 2]])]).tolist()
    [0, 1, 0, 1, 2]
    """
    edges = [np.empty((0, 2), dtype=int), *pairs]
    for numbers in numberings:
        _, first, number = np.unique(numbers, return_index=True, return_inverse=True)
        edges.append(np.column_stack([np.arange(n), first[number]]))
    rows, columns = np.concatenate(edges).T
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(n, n))
    found: np.ndarray = connected_components(graph, directed=False)[1]
    return found


def _as_characters(texts: Sequence[str]) -> list[str]:
    """Each text with a character for every word: what compares texts compares words so."""
    numbers: dict[str, int] = {}
    return [
        "".join(
            chr(FIRST_CHARACTER + numbers.setdefault(word, len(numbers))) for word in words_of(text)
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


def _fillings(members: np.ndarray, pairs: np.ndarray, contents: Sequence[Content]) -> np.ndarray:
    """Which pairs of members fill one form with different contents, bool `[pairs]`."""
    found = np.zeros(len(pairs), dtype=bool)
    if connected(len(members), [], [np.searchsorted(members, pairs)]).any():
        return found  # several forms: what two of these share, the others do not
    for content in contents:
        if len(np.unique(content.own[members])) >= LEAST_FILLINGS:
            found |= content.differs(pairs)
    return found
