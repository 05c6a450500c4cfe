"""Factors read off the prompts, on the published ones, on mini's own, and by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultlens.auditing.factors.derived import derived_factors, name_order
from faultlens.auditing.factors.levels import factor_table, prepared
from faultlens.corpus.task import Task
from faultlens.corpus.tasks.ioi import ioi
from faultlens.corpus.tasks.mini_ioi import mini_ioi


def test_the_order_of_the_published_prompts_is_the_template_s(reference_data: Path) -> None:
    lines = (reference_data / "ioi_audit" / "tasks.jsonl").read_text().splitlines()
    tasks = [json.loads(line) for line in lines]
    order = derived_factors([task["prompt"] for task in tasks])["order"]
    assert order == ["BABA" if task["template_id"] in (1, 3) else "ABBA" for task in tasks]


def test_the_published_finding_needs_no_factors_of_the_user_s(reference_data: Path) -> None:
    folder = reference_data / "ioi_audit"
    tasks = [json.loads(line) for line in (folder / "tasks.jsonl").read_text().splitlines()]
    failed = pd.read_csv(folder / "predictions.csv")["success"].to_numpy() == 0
    factors = derived_factors([task["prompt"] for task in tasks])
    keys = factor_table(prepared(factors), failed)['word "keys"']["present"]
    assert (keys.failures, keys.n) == (42, 45)
    assert 'words "Once", "arrived", "passed"' in factors, "words of one template are one factor"
    assert factors["length in words"] == ["13"] * 300


@pytest.mark.parametrize("task", [ioi(), mini_ioi()], ids=lambda task: task.name)
def test_the_order_is_that_of_the_task_also_where_a_name_opens_the_sentence(task: Task) -> None:
    found = name_order([prompt.text for prompt in task.prompts])
    expected = [
        "ABBA" if prompt.text.index(prompt.target) < prompt.text.index(str(prompt.foil)) else "BABA"
        for prompt in task.prompts
    ]
    assert found == expected
    assert found == task.factors.get("order", expected)
    assert min(found.count("ABBA"), found.count("BABA")) > 100


@pytest.mark.parametrize(
    ("prompt", "order"),
    [
        ("When Mary and John went to the store, John gave a drink to", "ABBA"),
        ("When John and Mary went to the store, John gave a drink to", "BABA"),
        ("When John spoke, John and Mary went to", "other"),  # BBA
        ("When Mary and John went to the store, Ann gave a drink to", "other"),  # three names
        ("When Mary and John went to London, John gave a drink to", "other"),  # three names
        ("When John saw John, he went to", "other"),
        ("When Mary saw John, John left Mary with", "other"),  # both twice
        ("The store. The park. Then Mary went to", "other"),  # first words are no names
        ("When Mary and I went to the store, I gave a drink to", "other"),  # nor is the speaker
        ("When Mary and John met. “Then John gave a drink to", "ABBA"),
        ("Today Mary's friend John came. John gave the keys to", "ABBA"),
        ("", "other"),
    ],
)
def test_the_order_of_names(prompt: str, order: str) -> None:
    assert name_order([prompt]) == [order]


def test_a_sentence_s_first_word_is_a_name_where_it_is_one_elsewhere() -> None:
    opening = "Mary and John met. John gave a drink to"
    assert name_order([opening]) == ["other"], "Mary might be any word"
    assert name_order([opening, "We saw Mary and"])[0] == "ABBA"
    assert name_order([opening, "We saw Mary and the mary and"])[0] == "other"


def test_words_that_vary_are_factors_and_words_that_occur_together_are_one() -> None:
    prompts = [f"When Ann met the {thing}" for thing in ["red fox"] * 6 + ["cow"] * 7]
    prompts += ["When Ann met the cow today indeed, so be it"] * 5
    prompts += ["when Ann met the owl"] * 4
    assert derived_factors(prompts) == {
        'words "red", "fox"': ["present"] * 6 + ["absent"] * 16,
        'word "cow"': ["absent"] * 6 + ["present"] * 12 + ["absent"] * 4,
        'words "today", "indeed", "so" + 2': ["absent"] * 13 + ["present"] * 5 + ["absent"] * 4,
        "length in words": ["6"] * 6 + ["5"] * 7 + ["10"] * 5 + ["5"] * 4,
    }  # "owl" is on four, "When" in either case on all, and there is one order only


def test_of_many_words_those_nearest_to_half_of_the_prompts_are_factors() -> None:
    counts = [5, 235, *range(6, 108), 122, 118, 123]  # of 240 prompts
    prompts = [" ".join(f"w{c}" for c in counts if i < c) for i in range(240)]
    prompts[0] = " ".join(f"w{c}" for c in counts)
    words = [name for name in derived_factors(prompts) if name.startswith("word")]
    assert words == [f'word "w{c}"' for c in [*range(11, 108), 122, 118, 123]]


def test_between_words_equally_near_to_half_the_first_is_kept() -> None:
    def words(pair: str) -> list[str]:
        middle = [" ".join(f"m{c}" for c in range(21, 120) if i < c) for i in range(240)]
        rows = {"first": range(220), "second": range(20)}
        prompts = [
            " ".join([word for word in pair.split() if i in rows[word]] + [middle[i]])
            for i in range(240)
        ]
        return [name for name in derived_factors(prompts) if name.startswith("word")]

    assert words("first second")[0] == 'word "first"'
    assert words("second first")[0] == 'word "second"'
    assert len(words("first second")) == len(words("second first")) == 100


def test_the_order_is_a_factor_only_where_two_of_its_levels_have_five_prompts() -> None:
    abba = "When Mary and John met, John gave it to"
    baba = "When John and Mary met, John gave it to"
    assert "order" not in derived_factors([abba] * 9 + [baba] * 4)
    assert "order" in derived_factors([abba] * 9 + [baba] * 5)


def test_no_prompts_have_no_factors() -> None:
    assert derived_factors([]) == {}
    assert derived_factors([""]) == {"length in words": ["0"]}


@given(
    prompts=st.lists(
        st.one_of(
            st.text(max_size=40),
            st.lists(
                st.sampled_from("Mary John I keys THE the . “ 9 ключ 鍵".split()), max_size=9
            ).map(" ".join),
        ),
        max_size=40,
    ),
    seed=st.integers(0, 99),
)
def test_any_prompts_give_one_level_a_prompt(prompts: list[str], seed: int) -> None:
    factors = derived_factors(prompts)
    assert all(len(levels) == len(prompts) for levels in factors.values())
    for name, levels in factors.items():
        if name.startswith("word"):
            assert min(levels.count("present"), levels.count("absent")) >= 5
    patterns = [tuple(levels) for name, levels in factors.items() if name.startswith("word")]
    assert len(set(patterns)) == len(patterns)
    again = np.random.default_rng(seed).permutation(len(prompts))
    if factors:
        moved = derived_factors([prompts[i] for i in again])
        assert moved["length in words"] == [factors["length in words"][i] for i in again]
        assert sorted(map(str, moved.get("order", []))) == sorted(factors.get("order", []))
