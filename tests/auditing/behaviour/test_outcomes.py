"""Outcomes: rules of scoring and kinds of failure, on the published predictions and by hand."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from faultlens.auditing.behaviour.kinds import KINDS, kind_of
from faultlens.auditing.behaviour.outcomes import RULES, exact_word
from faultlens.corpus.task import Prompt

PROMPT = "When Ann and Bob went to the old store, Bob gave the keys to"


@pytest.mark.parametrize(
    ("generated", "rule", "success"),
    [
        (" Ann. Then", "exact-word", True),
        (" Ann's car", "exact-word", False),
        (" Ann's car", "first-token", True),
        (" Anna", "exact-word", False),
        (" the store to Ann, who", "first-token", False),
        (" the store to Ann, who", "named-later", True),
        (" the store to Anna, who", "named-later", False),
        ("", "named-later", False),
        (" Anna went", "first-token", False),
    ],
)
def test_rules_differ_where_they_should(generated: str, rule: str, success: bool) -> None:
    assert RULES[rule](generated, "Ann") is success


@pytest.mark.parametrize(
    ("generated", "kind"),
    [
        (" Ann", "success"),
        (" Bob, who", "names the foil"),
        (" Ann's brother", "first token right, word wrong"),
        (' "Ann" and', "success"),
        (' "Ann\'s" and', "first token right, word wrong"),
        (" ann, who", "first token right, word wrong"),
        (" the keys of", "another phrase of the prompt"),
        (" the old store", "another phrase of the prompt"),
        (" the old's", "another phrase of the prompt"),
        (" her mother", "possessive noun phrase"),
        (" her. She", "pronoun"),
        (" him.", "pronoun"),
        (" the landlord", "another noun phrase"),
        (" a dog", "another noun phrase"),
        (" everyone", "other word"),
        ("", "empty or degenerate"),
        (" ... !!", "empty or degenerate"),
    ],
)
def test_the_first_kind_that_matches_wins(generated: str, kind: str) -> None:
    success = exact_word(generated, "Ann")
    assert kind_of(Prompt(PROMPT, "Ann", "Bob"), generated, success) == kind
    assert kind in KINDS


def test_an_accepted_answer_that_goes_on_is_scored_wrong_too() -> None:
    prompt = Prompt(PROMPT, "Anna", "Bob", accepted=("Ann",))
    assert kind_of(prompt, " Ann's car", False) == "first token right, word wrong"
    assert (
        kind_of(Prompt(PROMPT, "Anna", "Bob"), " Ann and", False) == "another phrase of the prompt"
    )
    assert kind_of(Prompt(PROMPT, "Eva", "Ann"), " Ann and", False) == "names the foil"
    assert kind_of(Prompt(PROMPT, "Eva", "Ann"), " Ann's car", False) == "possessive noun phrase"


def test_the_published_failures_are_of_the_published_kinds(reference_data: Path) -> None:
    folder = reference_data / "ioi_audit"
    tasks = [json.loads(line) for line in (folder / "tasks.jsonl").read_text().splitlines()]
    predictions = pd.read_csv(folder / "predictions.csv")
    kinds: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for task, generated, success in zip(
        tasks, predictions["generated"], predictions["success"], strict=True
    ):
        target, foil = task["indirect_object"], task["subject"]
        assert exact_word(generated, target) == bool(success)
        kinds[kind_of(Prompt(task["prompt"], target, foil), generated, bool(success))] += 1
        for name, rule in RULES.items():
            right[name] += rule(generated, target)
    assert kinds == {
        "success": 239,
        "another phrase of the prompt": 34,
        "possessive noun phrase": 15,  # "her sister,": with "her. " the 16 that METHODS counts
        "pronoun": 1,
        "another noun phrase": 6,
        "first token right, word wrong": 5,
    }
    assert {name: 300 - n for name, n in right.items()} == {
        "exact-word": 61,
        "first-token": 56,
        "named-later": 56,
        "contains": 56,
    }
