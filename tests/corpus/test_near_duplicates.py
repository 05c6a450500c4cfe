"""Which prompts say nearly the same: against distances computed plainly, and in the tasks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import faultlens.corpus.tasks  # noqa: F401
from faultlens.corpus.near_duplicates import near_duplicates, repeats
from faultlens.corpus.task import make_task

LONG = "when ann and ben went to the store , ann gave the keys to"


def plain_distance(one: list[str], two: list[str]) -> int:
    """Levenshtein's, over words, by the textbook's table."""
    row = list(range(len(two) + 1))
    for i, word in enumerate(one, 1):
        above, row = row, [i]
        for j, other in enumerate(two, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (word != other)))
    return row[-1]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.sampled_from("ab"), min_size=1, max_size=22), min_size=2, max_size=6))
def test_a_chain_of_near_texts_belongs_together(words: list[list[str]]) -> None:
    n = len(words)
    near = np.array(
        [[plain_distance(a, b) <= 0.1 * max(len(a), len(b)) for b in words] for a in words]
    )
    joined = np.linalg.matrix_power(near.astype(float), n) > 0
    found = near_duplicates([" ".join(text) for text in words])
    assert ((found[:, None] == found[None, :]) == joined).all()


@pytest.mark.parametrize(
    ("other", "together"),
    [
        (LONG + " the", True),  # one of 14 words put in
        (LONG.replace("keys", "book"), True),
        (LONG.replace("the keys", "a book"), False),  # two of 13
        (LONG.upper() + "  ", True),
    ],
)
def test_a_tenth_of_the_words_may_differ(other: str, together: bool) -> None:
    first, second = near_duplicates([LONG, other])
    assert bool(first == second) is together


def test_in_a_short_text_every_word_counts() -> None:
    assert len(set(near_duplicates(["the capital of France is", "the capital of Italy is"]))) == 2


def test_only_texts_that_share_what_they_must_are_compared() -> None:
    texts = [LONG, LONG.replace("keys", "book"), LONG]
    assert near_duplicates(texts, ["keys", "book", "keys"]).tolist() == [0, 1, 0]
    assert near_duplicates(texts, ["1", "2", "3"]).tolist() == [0, 1, 0], "it repeats the first"


def test_repeats_are_equal_but_for_case_and_space() -> None:
    assert repeats(["A b", "a  b ", "a b.", "A b"]).tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(("task", "most"), [("ioi", 0), ("mini-ioi", 2), ("induction", 0)])
def test_the_fillings_of_a_template_with_factors_are_hardly_ever_duplicates(
    task: str, most: int
) -> None:
    made = make_task(task)
    levels = list(zip(*made.factors.values(), strict=True))
    found = near_duplicates([prompt.text for prompt in made.prompts], levels)
    assert len(made) - len(set(found)) <= most
