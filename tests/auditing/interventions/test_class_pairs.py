"""Which classes are tested, in which order, and which pairs of them together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cause_samples
import pytest

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.causal_findings import chosen_classes, to_be_tested
from faultlens.auditing.interventions.class_pairs import ClassPair, likeliest, pairs_of
from faultlens.auditing.interventions.family import TrialOutcome
from faultlens.auditing.result import Intervention


@dataclass(frozen=True)
class One:
    """A class, as the causal tests see it."""

    features: FeatureSet
    rank: int
    with_failure: bool = True
    taken: int | None = None


def one(
    site: str, index: int, rank: int, with_failure: bool = True, taken: int | None = None
) -> One:
    return One(FeatureSet(site, (index,)), rank, with_failure, taken)


CLASSES = [
    one("2-res", 0, 0, with_failure=False),
    one("2-res", 1, 1, taken=0),
    one("3-res", 1, 2),
    one("2-res", 2, 3, taken=1),
    one("3-res", 5, 4, with_failure=False, taken=2),
]


def test_what_forward_selection_took_is_tested_first_then_failures_then_successes() -> None:
    assert [c.rank for c in chosen_classes(CLASSES, 9)] == [1, 3, 4, 2, 0]
    assert [c.rank for c in to_be_tested(CLASSES, 2)] == [1, 3]
    assert [c.rank for c in to_be_tested(CLASSES, 0)] == [1], "the first that goes with failure"


def test_pairs_are_of_one_dictionary_and_go_with_failure() -> None:
    pairs = pairs_of(chosen_classes(CLASSES, 9))
    assert [str(pair.features) for pair in pairs] == ["2-res/1+2-res/2"]
    assert pairs_of(CLASSES[:1]) == []


def test_a_pair_says_what_both_do_beyond_one() -> None:
    pair = ClassPair(FeatureSet("2-res", (1, 4)), FeatureSet("2-res", (2,)))
    done = cause_samples.cause()

    def alone(adjusted: float) -> TrialOutcome:
        need = replace(done.necessity, adjusted=adjusted)
        return TrialOutcome(replace(done, necessity=need), None)

    found = pair.test(TrialOutcome(done, None), {pair.first: alone(0.5), pair.second: alone(0.2)})
    assert found.features == ["2-res/1", "2-res/4", "2-res/2"]
    assert found.classes == ["2-res/1", "2-res/2"]
    assert isinstance(found.intervention, Intervention)
    assert found.beyond_each == pytest.approx(done.necessity.adjusted - 0.5)
    few = TrialOutcome(None, "too few")
    assert pair.test(few, {pair.first: few, pair.second: alone(0.1)}).beyond_each is None


def test_the_likeliest_pair_moves_failures_most_and_none_is_tried_beside_a_cause() -> None:
    a, b, c = (FeatureSet("2-res", (i,)) for i in range(3))
    pairs = [ClassPair(a, b), ClassPair(a, c), ClassPair(b, c)]

    def moving(adjusted: float, shown: bool) -> TrialOutcome:
        done = cause_samples.contributes()
        need = replace(done.necessity, adjusted=adjusted, shown=shown)
        return TrialOutcome(replace(done, necessity=need, sufficiency=None), None)

    alone = {a: moving(2.0, True), b: moving(0.1, False), c: moving(1.5, True)}
    assert likeliest(pairs, alone) == ClassPair(a, c)
    assert likeliest(pairs[:1], alone) == ClassPair(a, b), "one of them shown is enough"
    nothing = {features: moving(0.1, False) for features in (a, b, c)}
    assert likeliest(pairs, nothing) is None
    assert likeliest(pairs, {**alone, b: TrialOutcome(cause_samples.cause(), None)}) is None
    assert likeliest(pairs, {**alone, c: TrialOutcome(None, "too few")}) == ClassPair(a, b)
