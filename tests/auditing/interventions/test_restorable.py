"""On which prompts it counts whether patching the whole value restores, a proven null's control."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from word_by_word import FIRST_WORD, TARGET, WRONG, WordByWord, basis, word_by_word

from faultlens.auditing.activations.task_tokens import TaskTokens
from faultlens.auditing.interventions.cached_run import CachedRuns
from faultlens.auditing.interventions.patching.counterfactuals import share_restored
from faultlens.auditing.interventions.patching.pair_runs import PairRuns
from faultlens.auditing.interventions.patching.swaps import LevelSwap
from faultlens.corpus.task import Prompt, Task

BAD, WORSE, GOOD, BETTER, FILLER = range(FIRST_WORD, FIRST_WORD + 5)  # words, by their answer
LAST, BEFORE = 3, 2  # positions

# Each prompt's last word, its twin's, the positions edited, whether its last token pairs up.
PAIRS: list[tuple[int, int, tuple[int, ...], bool]] = [
    *[(BAD, GOOD, (LAST,), True)] * 7,
    *[(WORSE, BETTER, (BEFORE, LAST), True)] * 2,
    *[(BAD, WORSE, (LAST,), True)] * 5,  # the twin is wrong too: there is nothing to restore
    *[(GOOD, BETTER, (LAST,), True)] * 3,  # it is right already
    *[(GOOD, BAD, (LAST,), True)] * 2,
    *[(BAD, GOOD, (BEFORE,), True)] * 4,  # edited where nothing is read
    *[(BAD, GOOD, (LAST,), False)] * 2,  # edited where there is no partner
    *[(BAD, GOOD, (), True)] * 6,  # not edited
]


@pytest.fixture(scope="module")
def by_hand() -> WordByWord:
    """Feature 0 is what the wrong answer reads."""
    return word_by_word(np.array([[6.0], [7.0], [2.0], [0.0], [0.0]]), np.full(5, 4.0), basis()[:1])


def row(word: int) -> list[int]:
    return [0, FILLER, FILLER, word]


def tokens_of(rows: list[list[int]]) -> TaskTokens:
    return TaskTokens(rows, np.full(len(rows), TARGET), np.full(len(rows), WRONG))


def restored(
    by_hand: WordByWord, pairs: Sequence[tuple[int, int, tuple[int, ...], bool]]
) -> tuple[tuple[float | None, int], tuple[float | None, int]]:
    """What is tested, and the referee: the patched margin of each pair by the formula."""
    rows, twins = [row(pair[0]) for pair in pairs], [row(pair[1]) for pair in pairs]
    partners = [[-1, 1, 2, LAST if pair[3] else -1] for pair in pairs]
    task = Task("twins", tuple(Prompt("x", "right", "wrong") for _ in pairs))
    places = np.arange(len(pairs))
    swap = LevelSwap("word", "bad", "good", places, task, tokens_of(twins), partners, 0)
    edited = np.zeros((len(pairs), LAST + 1), dtype=bool)
    for place, pair in enumerate(pairs):
        edited[place, list(pair[2])] = True
    runs = CachedRuns(by_hand.model, tokens_of(rows), (by_hand.dictionary.target,))
    found = share_restored(by_hand.dictionary, [PairRuns.of(swap, runs)], edited)
    count = turned = 0
    for place, (mine, theirs) in enumerate(zip(rows, twins, strict=True)):
        value, twin = by_hand.values(mine), by_hand.values(theirs)
        touched = edited[place] & (np.array(partners[place]) >= 0)
        patched = np.where(touched[:, None], twin, value)
        if by_hand.margin(value[-1]) <= 0 < by_hand.margin(twin[-1]) and touched.any():
            count += 1
            turned += by_hand.margin(patched[-1]) > 0
    return found, (turned / count if count else None, count)


def test_only_wrong_prompts_with_a_right_twin_count(by_hand: WordByWord) -> None:
    order = np.random.default_rng(0).permutation(len(PAIRS))
    found, expected = restored(by_hand, [PAIRS[i] for i in order])
    assert expected == (9 / 13, 13)
    assert found == expected


def test_where_no_twin_is_right_there_is_no_share(by_hand: WordByWord) -> None:
    """Otherwise 0 of 8 would pass for a patch that was tried and restored nothing."""
    wrong_too = [(BAD, WORSE, (LAST,), True)] * 8
    found, expected = restored(by_hand, wrong_too)
    assert found == expected == (None, 0)
    one_right = [*wrong_too, (WORSE, GOOD, (LAST,), True)]
    found, expected = restored(by_hand, one_right)
    assert found == expected == (1.0, 1)
