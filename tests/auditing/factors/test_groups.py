"""Which prompts belong together, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest

import faultlens as fl
from faultlens.auditing.factors.groups import Grouping, group_prompts
from faultlens.auditing.result import PromptGroups
from faultlens.corpus.near_duplicates import near_duplicates
from faultlens.errors import UserError

WORDS = np.random.default_rng(0).choice([*"abcdefghijklmnopqrst"], (40, 12))
TEXTS = [" ".join(row) for row in WORDS]
DOCUMENT = [str(i // 3) for i in range(40)]
AUTHOR = [str(i // 6) for i in range(40)]
PLACE = [str(i % 2) for i in range(40)]


def sizes(found: Grouping) -> list[int]:
    assert found.blocks is not None
    return sorted(np.bincount(found.blocks).tolist())


def test_prompts_that_share_nothing_stand_by_themselves() -> None:
    found = group_prompts(TEXTS, {}, {})
    assert (found.blocks, found.warnings) == (None, [])
    assert found.record == PromptGroups([], 40, 0, 1, 0, 0)


def test_near_duplicates_are_grouped_and_said() -> None:
    texts = [*TEXTS, *(text + " z" for text in TEXTS[:5]), TEXTS[0], TEXTS[1].upper()]
    found = group_prompts(texts, {}, {})
    assert sizes(found) == [1] * 35 + [2] * 3 + [3] * 2
    assert found.record == PromptGroups([], 40, 12, 3, 2, 5)
    assert found.warnings == [
        "2 of 47 prompts repeat another word for word and 5 more differ from another in a tenth of "
        "their words at most: they are tested as 40 groups, not as prompts"
    ]
    only = group_prompts([*TEXTS, TEXTS[3] + " z"], {}, {})
    assert only.warnings == [
        "1 of 41 prompts differ from another in a tenth of their words at most: they are tested as "
        "40 groups, not as prompts"
    ]


def test_near_duplicates_within_what_is_declared_are_parts_of_its_groups() -> None:
    texts, declared = [*TEXTS, *(text + " z" for text in TEXTS)], {"document": DOCUMENT * 2}
    found = group_prompts(texts, {}, declared)
    assert sizes(found) == [2] + [6] * 13
    assert found.parts is not None
    assert (found.parts[:40] == found.parts[40:]).all()
    assert len(np.unique(found.parts)) == 40
    assert group_prompts(TEXTS, {}, {"document": DOCUMENT}).parts is None
    assert group_prompts(texts, {}, {}).parts is None  # the groups themselves


def test_prompts_that_were_made_to_differ_are_no_duplicates() -> None:
    texts = [*TEXTS, *(text + " z" for text in TEXTS)]
    plain = group_prompts(texts, {"end": ["none"] * 40 + ["z"] * 40}, {})
    assert plain.blocks is None


def test_what_the_task_declares_is_grouped_unless_another_column_is_named() -> None:
    declared = {"document": DOCUMENT}
    assert sizes(group_prompts(TEXTS, {}, declared)) == [1] + [3] * 13
    named = group_prompts(TEXTS, {"pair": [str(i // 2) for i in range(40)]}, declared, ["pair"])
    assert sizes(named) == [2] * 20
    assert named.record.columns == ["pair"]
    assert group_prompts(TEXTS, {}, declared, ["none"]).blocks is None


def test_prompts_that_share_any_of_the_columns_belong_together() -> None:
    both = group_prompts(TEXTS, {"pair": [str(i // 2) for i in range(40)]},
                         {"four": [str(i // 4) for i in range(40)]}, ["pair", "four"])  # fmt: skip
    assert sizes(both) == [4] * 10


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        (
            ["documnet"],
            "no column 'documnet' to group prompts by: expected none, or one or more of place, "
            "document",
        ),
        (
            ["place"],
            "groups by place leave 2 groups of prompts that share neither: expected at least 10; "
            "name fewer columns, or one with more values",
        ),
    ],
)
def test_a_column_that_cannot_group_is_one_sentence(chosen: list[str], sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        group_prompts(TEXTS, {"place": PLACE}, {"document": DOCUMENT}, chosen)
    assert str(caught.value) == sentence


def test_declared_groups_that_are_too_few_are_left_and_said() -> None:
    found = group_prompts(TEXTS, {}, {"author": AUTHOR})
    assert found.blocks is None
    assert found.warnings == [
        "the task's groups, by author, leave 7 groups of prompts that share neither: prompts are "
        "taken as independent"
    ]


def test_the_fillings_of_one_template_are_taken_as_independent_and_said() -> None:
    filled = [f"when a and b went to the old store c gave d the thing {w}" for w in range(40)]
    found = group_prompts([*filled, filled[0]], {}, {})
    assert sizes(found) == [1] * 39 + [2]
    assert found.warnings == [
        "1 of 41 prompts repeat another word for word: they are tested as 40 groups, not as "
        "prompts",
        "40 of 41 prompts differ from another in a tenth of their words at most, as those do that "
        "fill one template: they are taken as independent; name what belongs together with "
        "--groups",
    ]


NAMES = ["Ann", "Bob", "Cleo", "Dan"]
FORMS = [f"form {i}" for i in range(12)]
FILLED = [f"{TEXTS[i]} asks {name}" for i in range(12) for name in NAMES]
FORM = {"form": [form for form in FORMS for _ in NAMES]}
NAME = {"name": NAMES * len(FORMS)}
"""Four names in each of twelve sentences, of which the names are a fourteenth."""


def test_what_fills_a_form_that_factors_tell_is_no_near_duplicate() -> None:
    found = group_prompts([*FILLED, *TEXTS[12:]], with_others(FORM), with_others(NAME))
    assert sizes(found) == [1] * 28 + [12] * 4
    assert (found.record.nearly, found.record.columns, found.warnings) == (0, ["name"], [])


def with_others(columns: dict[str, list[str]]) -> dict[str, list[str]]:
    """The columns, and a value of its own for each prompt of another kind."""
    return {name: [*values, *(f"other {i}" for i in range(28))] for name, values in columns.items()}


def test_a_form_that_no_factor_tells_makes_near_duplicates() -> None:
    for factors in ({}, {"all": ["a"] * 48}, {"half": ["a"] * 24 + ["b"] * 24}):
        assert group_prompts(FILLED, factors, NAME).record.nearly == 36


def test_a_name_that_the_prompts_do_not_say_tells_no_two_apart() -> None:
    numbers = {"name": [str(i % 4) for i in range(48)]}
    assert group_prompts(FILLED, FORM, numbers).record.nearly == 36
    assert group_prompts(FILLED, FORM, {}).record.nearly == 36


def test_two_prompts_that_differ_in_what_they_are_about_alone_are_a_pair() -> None:
    pairs = [i for i in range(48) if i % 4 < 2]
    form, name = ([column[i] for i in pairs] for column in (FORM["form"], NAME["name"]))
    found = group_prompts([FILLED[i] for i in pairs], {"form": form}, {"name": name})
    assert found.record.nearly == 12


def test_prompts_that_say_the_same_of_one_name_stay_near_duplicates() -> None:
    twice = [*FILLED, *(f"{text}!" for text in FILLED)]
    factors, declared = ({name: v * 2 for name, v in c.items()} for c in (FORM, NAME))
    found = group_prompts(twice, factors, declared, ["form"])
    assert (found.record.nearly, found.record.groups) == (48, 12)


@pytest.mark.parametrize(
    ("task", "column", "groups"),
    [(fl.tasks.sycophancy(), "question", 26), (fl.tasks.unanswerable(), "name", 24),
     (fl.tasks.over_refusal(), "word", 12)],
)  # fmt: skip
def test_prompts_on_behaviour_belong_to_what_they_ask_about(
    task: fl.Task, column: str, groups: int
) -> None:
    found = group_prompts([prompt.text for prompt in task.prompts], task.factors, task.groups)
    assert (found.record.columns, found.record.groups) == ([column], groups)
    assert found.record.largest == len(task) // groups


def test_a_system_prompt_makes_no_two_questions_alike() -> None:
    """Forty words around each question, ten in it; and the same questions asked nearly twice."""
    around = "You are a helpful assistant who answers briefly and never guesses. " * 3
    things = ("capital", "language", "anthem", "flag", "coin", "river")
    places = ("France", "Italy", "Spain", "Peru")
    asked = [f"What is the {thing} of {place}?" for thing in things for place in places]
    framed = [f"system {around} user {question} assistant" for question in asked]
    assert len(np.unique(near_duplicates(framed))) == 1, "so they are by all their words"
    found = group_prompts(framed, {}, {})
    assert (found.blocks, found.record.nearly, found.warnings) == (None, 0, [])
    long = [f"{q} I ask because my small brother has to write it down today." for q in asked]
    twice = [*long, *(f"{question[:-1]}!" for question in long)]
    doubled = [f"system {around} user {question} assistant" for question in twice]
    found = group_prompts(doubled, {"of": [*asked, *asked]}, {})
    assert found.record.nearly == len(asked) and found.record.largest == 2
