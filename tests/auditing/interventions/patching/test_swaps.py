"""Swaps: which levels can be exchanged, for which other, and which tokens pair up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import faultlens as fl
from faultlens.auditing.activations.task_tokens import tokenize
from faultlens.auditing.interventions.patching.swaps import (
    LevelSwap,
    aligned,
    exchange,
    occurrences,
    reversed_partners,
    swap_level,
)
from faultlens.corpus.task import Prompt, Task
from faultlens.models.model import Model


@pytest.fixture(scope="module")
def mini() -> Model:
    return fl.load("mini", layers=[2]).model


def swap(model: Model, task: Task, factor: str, level: str, taken: list[str]) -> LevelSwap | str:
    return swap_level(task, tokenize(task, model), model, factor, level, taken)


def made(model: Model, task: Task, factor: str, level: str, taken: list[str]) -> LevelSwap:
    found = swap(model, task, factor, level, taken)
    assert isinstance(found, LevelSwap), found
    return found


def task_of(objects: list[str], text: str = "Ann gave {} to", **more: str) -> Task:
    prompts = [
        Prompt(text.format(thing), f"Name{i % 3}", factors={"object": thing, **more})
        for i, thing in enumerate(objects)
    ]
    return Task("made", tuple(prompts))


def test_every_prompt_at_the_level_says_another_one(mini: Model) -> None:
    task = fl.tasks.ioi(300)
    found = made(mini, task, "object", "the keys", ["the keys"])
    at_keys = [i for i, level in enumerate(task.factors["object"]) if level == "the keys"]
    assert found.prompts.tolist() == at_keys
    assert found.left_out == 0
    assert found.swapped_for != "the keys"
    for i, twin in zip(found.prompts, found.task.prompts, strict=True):
        prompt = task.prompts[i]
        assert twin.text == prompt.text.replace("the keys", found.swapped_for)
        assert (twin.target, twin.foil) == (prompt.target, prompt.foil)
        assert twin.factors == {**prompt.factors, "object": found.swapped_for}


def test_a_name_that_stands_twice_is_exchanged_twice_and_in_the_foil(mini: Model) -> None:
    task = fl.tasks.ioi(300)
    found = made(mini, task, "subject", "John", ["John"])
    for i, twin in zip(found.prompts, found.task.prompts, strict=True):
        prompt = task.prompts[i]
        assert occurrences(prompt.text, "John") == 2
        assert occurrences(twin.text, found.swapped_for) == 2
        assert twin.foil == found.swapped_for
        assert twin.target == prompt.target != found.swapped_for
    at_john = task.factors["subject"].count("John")
    assert len(found) + found.left_out == at_john


@pytest.mark.parametrize(
    ("factor", "level", "reason"),
    [
        ("template", "1", "in most prompts the words of 'template' do not stand"),
        ("object", "a hat", "no words of theirs are the level"),
        ("mood", "good", "no words of theirs are the level"),
        ("indirect_object", "Mary", "its words are part of the answer, which would change"),
    ],
)
def test_what_cannot_be_exchanged_says_why(
    mini: Model, factor: str, level: str, reason: str
) -> None:
    found = swap(mini, fl.tasks.ioi(300), factor, level, [])
    assert isinstance(found, str)
    assert reason in found


def test_the_other_level_is_the_most_frequent_not_taken_that_keeps_the_length(mini: Model) -> None:
    things = ["the keys"] * 8 + ["a book"] * 6 + ["the ball"] * 6 + ["a drink"] * 9
    long = ["the flowers and the letter"] * 12
    task = task_of([*things, *long])
    assert len(mini.ids("Ann gave a book to")) == len(mini.ids("Ann gave the keys to"))
    assert made(mini, task, "object", "the keys", []).swapped_for == "a drink"
    assert made(mini, task, "object", "the keys", ["a drink"]).swapped_for == "a book"
    left = made(mini, task, "object", "the keys", ["a drink", "a book", "the ball"])
    assert left.swapped_for == "the flowers and the letter", "better than nothing"
    every = ["a drink", "a book", "the ball", "the flowers and the letter"]
    assert "forward selection did not take" in str(swap(mini, task, "object", "the keys", every))


def test_prompts_that_say_the_level_too_often_or_the_other_already_are_left_out(
    mini: Model,
) -> None:
    task = task_of(["the keys"] * 8 + ["a book"] * 8)
    prompts = list(task.prompts)
    prompts[0] = replace(prompts[0], text="Ann lost the keys and gave the keys to")
    prompts[1] = replace(prompts[1], text="Ann read a book and gave the keys to")
    prompts[2] = replace(prompts[2], text="Ann gave the monkeys to")
    found = made(mini, Task("made", tuple(prompts)), "object", "the keys", [])
    assert found.prompts.tolist() == [3, 4, 5, 6, 7]
    assert found.left_out == 3
    fewer = Task("made", (*prompts[:7], *prompts[8:]))
    assert "fewer than 5 prompts" in str(swap(mini, fewer, "object", "the keys", []))


def test_whole_words_in_their_own_case() -> None:
    assert occurrences("The keys, the keys. the keyset; the key's", "the keys") == 1
    assert exchange("a.b a-b a.b", "a.b", r"\1") == r"\1 a-b \1"
    assert occurrences("anything", "") == 0


def test_tokens_that_begin_and_end_alike_pair_up() -> None:
    assert aligned([0, 1, 2, 3], [0, 7, 8, 9]) == [-1, 1, 2, 3]
    assert aligned([0, 1, 2, 3, 4, 5], [0, 1, 7, 5]) == [-1, 1, -1, -1, 2, 3]
    assert aligned([0, 1, 7, 5], [0, 1, 2, 3, 4, 5]) == [-1, 1, 4, 5]
    assert aligned([0, 1, 2], [0, 1, 9, 2]) == [-1, 1, 3], "nothing stands for what was put in"
    assert aligned([0, 4, 4], [0, 4, 4, 4]) == [-1, 1, 3], "where the answer is read"


rows = st.lists(st.integers(1, 4), min_size=1, max_size=8).map(lambda row: [0, *row])


@given(rows, rows)
def test_pairs_are_one_to_one_in_order_and_the_same_both_ways(
    first: list[int], second: list[int]
) -> None:
    partners = aligned(first, second)
    paired = [partner for partner in partners if partner >= 0]
    assert paired == sorted(set(paired))
    assert partners[0] == -1
    assert 0 not in paired
    assert partners[-1] == len(second) - 1, "where the answer is read"
    back = reversed_partners(partners, len(second))
    assert reversed_partners(back, len(first)) == partners
    assert back == aligned(second, first)


def test_what_pairs_up_outside_the_exchange_is_the_same_token(mini: Model) -> None:
    task = fl.tasks.ioi(300)
    tokens = tokenize(task, mini)
    found = swap_level(task, tokens, mini, "subject", "John")
    assert isinstance(found, LevelSwap)
    lengths = set()
    for place, i in enumerate(found.prompts):
        mine, theirs = tokens.scored[i], found.tokens.scored[place]
        lengths.add(len(mine) == len(theirs))
        same = [mine[a] == theirs[b] for a, b in enumerate(found.partners[place]) if b >= 0]
        assert np.mean(same) > 0.5
        assert same[-1]
    assert lengths
