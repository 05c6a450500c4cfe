"""Which classes are tested, in which order, and which pairs of them together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cause_samples
import pytest

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.causal_findings import chosen_classes, to_be_tested
from faultlens.auditing.interventions.class_pairs import ClassPair, pairs_of
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
