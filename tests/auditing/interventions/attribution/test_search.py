"""Which feature sets attribution leads to, and what testing them gave: two sites made by hand."""

from __future__ import annotations

from dataclasses import replace

import cause_samples

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.attribution.search import NOT_AMONG, Search
from faultlens.auditing.interventions.attribution.site_attribution import RankedSite
from faultlens.auditing.interventions.family import TrialOutcome
from faultlens.auditing.result import Attributed, SiteAttribution


def site(name: str, **differences: float) -> RankedSite:
    """Features f0, f1, … with so much more attribution over failures than over successes."""
    top = [
        Attributed(f"{name}/{feature[1:]}", 2.0 + difference, 2.0, None, None, None, None, None)
        for feature, difference in differences.items()
    ]
    attribution = SiteAttribution(name, 10, 8, 0.0, None, -1.0, None, top, 0, None, None)
    indices = [int(feature[1:]) for feature in differences]
    return RankedSite(attribution, indices, top, indices)


SITES = {"2-res": site("2-res", f7=-0.5, f1=-0.4), "3-res": site("3-res", f1=-0.9, f4=0.3)}
CLASS = FeatureSet("2-res", (3, 7, 9))


def test_features_of_classes_are_tested_as_the_class() -> None:
    alone = FeatureSet("2-res", (1,))
    found = Search.of(SITES, [CLASS, alone], 3)
    assert [*map(str, found.first)] == ["2-res/7", "3-res/1", "2-res/1"]
    assert [*map(str, found.feature_sets)] == ["2-res/3+2-res/7+2-res/9", "3-res/1", "2-res/1"]
    assert Search.of(SITES, [CLASS], 0).feature_sets == []
    assert len(Search.of(SITES, [], 9).feature_sets) == 4, "no more than there are"


def test_each_sites_first_comes_before_any_sites_second() -> None:
    sites = {"2-res": site("2-res", f7=-0.9, f1=-0.8), "3-res": site("3-res", f1=-0.1, f4=-0.05)}
    found = [str(feature) for feature in Search.of(sites, [], 4).feature_sets]
    assert found == ["2-res/7", "3-res/1", "2-res/1", "3-res/4"]


def test_of_each_sites_first_four_those_are_tested_that_move_the_margin_most() -> None:
    many = {f"f{i}": -1.0 for i in range(6)}
    sites = {"2-res": site("2-res", **many), "3-res": site("3-res", f8=-0.5, f7=-0.4)}
    moved = {"2-res/0": 0.1, "2-res/1": 0.2, "2-res/2": -0.3, "2-res/3": 0.0, "3-res/7": 0.4,
             "3-res/8": 0.3}  # fmt: skip
    asked: list[str] = []

    def effect(features: FeatureSet) -> float:
        asked.append(str(features))
        return moved[str(features)]

    found = Search.of(sites, [], 3, effect=effect)
    assert [*map(str, found.feature_sets)] == ["3-res/7", "3-res/8", "2-res/1"]
    assert sorted(asked) == sorted(moved)
    asked.clear()
    assert Search.of(sites, [], 0, effect=effect).feature_sets == []
    assert asked == []


def test_what_is_tested_and_not_among_the_first_stands_behind_them() -> None:
    ranked = site("2-res", f7=-0.5)
    other = replace(ranked.attribution.top[0], feature="2-res/5", from_normal=-0.9)
    ranked = replace(ranked, expected=[other], expected_indices=[5])
    found = Search.of({"2-res": ranked}, [], 1)
    gave = TrialOutcome(cause_samples.cause(), None)
    first, behind = found.with_outcomes({FeatureSet("2-res", (5,)): gave}.__getitem__)["2-res"].top
    assert (first.feature, first.effect_missing) == ("2-res/7", NOT_AMONG)
    assert (behind.feature, behind.intervention) == ("2-res/5", gave.intervention)


def test_what_is_tested_anyway_is_passed_over() -> None:
    found = Search.of(SITES, [CLASS], 1, [CLASS, FeatureSet("3-res", (1,))])
    assert [*map(str, found.feature_sets)] == ["2-res/1"]


def test_what_testing_gave_is_said_feature_by_feature() -> None:
    found = Search.of(SITES, [CLASS], 3)
    first, class_ = (
        TrialOutcome(made(), None) for made in (cause_samples.cause, cause_samples.inconclusive)
    )
    few = TrialOutcome(None, "it fires on 2 failures")
    tested = FeatureSet("3-res", (1,)), CLASS, FeatureSet("2-res", (1,))
    outcomes = dict(zip(tested, (first, class_, few), strict=True))
    readings = found.with_outcomes(outcomes.__getitem__)
    (alone, other), (member, scarce) = readings["3-res"].top, readings["2-res"].top
    assert first.intervention is not None and class_.intervention is not None
    assert (alone.effect, alone.intervention) == (first.intervention.necessity, first.intervention)
    assert alone.tested_as == ["3-res/1"]
    assert (member.effect, member.intervention) == (class_.intervention.necessity, None)
    assert member.tested_as == ["2-res/3", "2-res/7", "2-res/9"]
    assert (scarce.effect, scarce.effect_missing) == (None, "it fires on 2 failures")
    assert other == replace(SITES["3-res"].attribution.top[1], effect_missing=NOT_AMONG)


def test_a_feature_of_a_class_that_is_tested_anyway_says_what_that_gave() -> None:
    found = Search.of(SITES, [CLASS], 1, [CLASS])
    gave = TrialOutcome(cause_samples.cause(), None)
    readings = found.with_outcomes({CLASS: gave, FeatureSet("2-res", (1,)): gave}.__getitem__)
    member, other = readings["2-res"].top[0], readings["3-res"].top[0]
    assert gave.intervention is not None
    assert (member.effect, member.tested_as) == (gave.intervention.necessity, CLASS.names)
    assert other.effect_missing == NOT_AMONG
