"""What prompts say of what is declared of them."""

from __future__ import annotations

import numpy as np
import pytest

from faultlens.corpus.content import content_of

PAIR = np.array([[0, 1]])


@pytest.mark.parametrize(
    ("texts", "values", "differ"),
    [
        (("To Ann.", "To Bob."), ("Ann", "Bob"), True),
        (("TO ANN.", "to bob."), ("ann", "Bob"), True),
        (("To Ann.", "To Ann!"), ("Ann", "Ann"), False),
        (("To Anna.", "To Bob."), ("Ann", "Bob"), False),  # a part of a word
        (("To Ann.", "To him."), ("Ann", "Bob"), False),  # one does not say its own
        (("Ann to Bob.", "Bob to Ann."), ("Ann", "Bob"), False),  # each says both
        (("To New York.", "To York."), ("New York", "York"), False),  # one says both
        (("Why? Ann.", "Why? Bob."), ("Why? Ann", "Why? Bob"), True),
        (("d1", "d2"), ("7", "8"), False),
        (("", "a"), ("", ""), False),
    ],
)
def test_two_prompts_differ_in_what_each_says_and_the_other_does_not(
    texts: tuple[str, ...], values: tuple[str, ...], differ: bool
) -> None:
    content = content_of(texts, values)
    assert content.differs(PAIR).tolist() == [differ]
    assert content.differs(PAIR[:, ::-1]).tolist() == [differ]
    assert content.differs(PAIR[:0]).tolist() == []


def test_what_each_prompt_says_is_what_a_search_finds() -> None:
    """The referee: the words of a value between the words of a text, with spaces around."""
    rng = np.random.default_rng(0)
    words = [*"abcde"]
    texts = [" ".join(rng.choice(words, 6)) for _ in range(30)]
    values = [" ".join(rng.choice(words, rng.integers(1, 4))) for _ in range(30)]
    content = content_of(texts, values)
    pairs = np.argwhere(~np.eye(30, dtype=bool))

    def says(i: int, j: int) -> bool:
        return f" {values[j]} " in f" {texts[i]} "

    wanted = [
        values[i] != values[j] and says(i, i) and says(j, j) and not says(i, j) and not says(j, i)
        for i, j in pairs
    ]
    assert content.differs(pairs).tolist() == wanted and any(wanted)
