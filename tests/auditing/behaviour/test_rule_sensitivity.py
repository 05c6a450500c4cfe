"""The same answers under every rule of scoring."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from faultlens.auditing.behaviour.outcomes import (
    GIVEN,
    RULES,
    TARGET_LIKELIEST,
    TARGET_OVER_FOIL,
    outcome_rule,
)
from faultlens.auditing.behaviour.rule_sensitivity import (
    failures_by_rule,
    scoring_table,
    scoring_warnings,
)
from faultlens.auditing.result import PromptOutcome, RuleReading

TEXTS = [" Ann.", " Ann's car", " the keys to Ann", " Annabel", " Bob", ""]
RIGHT = [True, False, False, False, False, False]


def answered(**numbers: list[float | None]) -> list[PromptOutcome]:
    return [
        PromptOutcome(
            "to", "Ann", text, ok, "-", *(column[i] for column in numbers.values())
        )
        for i, (text, ok) in enumerate(zip(TEXTS, RIGHT, strict=True))
    ]  # fmt: skip


def test_each_rule_fails_what_it_should() -> None:
    found = failures_by_rule(answered(logit_difference=[None] * 6), "exact-word")
    assert list(found) == ["exact-word", "first-token", "named-later", "contains"]
    assert {rule: failed.astype(int).tolist() for rule, failed in found.items()} == {
        "exact-word": [0, 1, 1, 1, 1, 1],
        "first-token": [0, 0, 1, 1, 1, 1],
        "named-later": [0, 0, 0, 1, 1, 1],
        "contains": [0, 0, 0, 0, 1, 1],
    }
    assert all(failed.dtype == bool for failed in found.values())


def test_under_every_rule_any_accepted_answer_is_right() -> None:
    """Each of the further answers is found by other rules than the target is."""
    outcomes = [
        replace(outcome, accepted=accepted)
        for outcome, accepted in zip(
            answered(logit_difference=[None] * 6),
            [[], ["car"], ["Eva", "the"], ["Anna"], ["bo"], ["x"]], strict=True,
        )
    ]  # fmt: skip
    found = failures_by_rule(outcomes, "named-later")
    assert {rule: failed.astype(int).tolist() for rule, failed in found.items()} == {
        "named-later": [0, 1, 1, 1, 1, 1],  # as the outcomes say
        "exact-word": [0, 1, 0, 1, 1, 1],
        "first-token": [0, 0, 0, 1, 1, 1],
        "contains": [0, 0, 0, 0, 0, 1],
    }


def test_the_audits_own_rule_comes_first_and_is_not_decided_anew() -> None:
    outcomes = answered(logit_difference=[None] * 6)
    outcomes[4] = replace(outcomes[4], success=True)
    given = failures_by_rule(outcomes, GIVEN)
    assert next(iter(given)) == GIVEN
    assert given[GIVEN].astype(int).tolist() == [0, 1, 1, 1, 0, 1]
    assert set(RULES) < set(given)
    own = failures_by_rule(outcomes, "exact-word")
    assert own["exact-word"].astype(int).tolist() == [0, 1, 1, 1, 0, 1]


def test_logits_score_where_every_prompt_has_them_and_a_tie_is_no_success() -> None:
    found = failures_by_rule(
        answered(
            logit_difference=[1.0, -1.0, 0.0, 2.0, -2.0, 1e-9],
            margin=[0.5, -1.0, 0.0, 2.0, -2.0, -0.1],
        ),
        "exact-word",
    )
    assert found[TARGET_OVER_FOIL].astype(int).tolist() == [0, 1, 1, 0, 1, 0]
    assert found[TARGET_LIKELIEST].astype(int).tolist() == [0, 1, 1, 0, 1, 1]


def test_a_rule_that_lacks_one_prompts_number_is_not_applied() -> None:
    found = failures_by_rule(
        answered(logit_difference=[1.0, 1.0, None, 1.0, 1.0, 1.0], margin=[1.0] * 6), "exact-word"
    )
    assert TARGET_OVER_FOIL not in found
    assert TARGET_LIKELIEST in found
    silent = [replace(o, generated=None) for o in answered(logit_difference=[None] * 6)]
    assert list(failures_by_rule(silent, GIVEN)) == [GIVEN]


def test_a_rule_that_somebody_adds_is_applied_too() -> None:
    @outcome_rule("anything")
    def anything(generated: str, target: str) -> bool:
        return bool(generated)

    try:
        found = failures_by_rule(answered(logit_difference=[None] * 6), "exact-word")
    finally:
        del RULES["anything"]
    assert found["anything"].astype(int).tolist() == [0, 0, 0, 0, 0, 1]


def test_the_table_counts_failures_at_every_level_under_every_rule() -> None:
    thing = ["keys"] * 6 + ["book"] * 6
    place = ["bar"] * 5 + ["inn"] * 5 + ["zoo", "fair"]
    one = np.arange(12) < 5
    other = np.arange(12) >= 10
    table = scoring_table(
        {"exact-word": one, "contains": other}, {"thing": thing, "place": place, "verb": ["x"] * 12}
    )
    assert table == {
        "exact-word": RuleReading(
            5,
            pytest.approx(7 / 12),
            {"thing": {"keys": 5, "book": 0}, "place": {"bar": 5, "inn": 0, "(rarer levels)": 0}},
        ),
        "contains": RuleReading(
            2,
            pytest.approx(10 / 12),
            {"thing": {"keys": 0, "book": 2}, "place": {"bar": 0, "inn": 0, "(rarer levels)": 2}},
        ),
    }


def test_without_factors_there_is_accuracy_alone() -> None:
    assert scoring_table({"given": np.array([True, False])}, {}) == {
        "given": RuleReading(1, 0.5, {})
    }


def told(texts: list[str], success: list[bool], rule: str) -> list[str]:
    outcomes = [
        PromptOutcome("to", "Ann", text, ok, "-", None)
        for text, ok in zip(texts, success, strict=True)
    ]
    return scoring_warnings(failures_by_rule(outcomes, rule), rule)


def test_many_failures_that_name_the_answer_are_warned_of() -> None:
    texts = [" it is Ann"] * 6 + [" Bob"] * 14
    assert told(texts, [False] * 20, "exact-word") == [
        "6 of 20 failures by exact-word name a right answer somewhere in what was generated (the "
        "rule contains): read them before you trust the failures, and choose another --rule if "
        "they are right"
    ]
    assert told(texts, [False] * 20, "contains") == []
    assert told([" it is Ann"] * 4 + [" Bob"] * 2, [False] * 6, "exact-word") == [], "too few"
    assert told([" it is Ann"] * 6 + [" Bob"] * 54, [False] * 60, "exact-word") == [], "a tenth"


def test_outcomes_that_contradict_the_answers_are_warned_of() -> None:
    """Successes that name no right answer, and failures that give it, are counted."""
    turned = [False] * 10 + [True] * 10
    texts = [" Ann."] * 10 + [" Bob."] * 10
    assert told(texts, turned, GIVEN) == [
        "'success' contradicts 'generated' in 20 of 20 rows (100%): 10 successes name no right "
        "answer anywhere, and 10 failures answer with the target; see that the rows and columns "
        "belong together"
    ]
    assert told(texts, [not ok for ok in turned], GIVEN) == []
    assert told([" the one is Ann"] * 20, [True] * 20, GIVEN) == [], "a judge may read more"
    assert told([" Bob"] * 20, [i == 0 for i in range(20)], GIVEN) == [], "one row of twenty"
