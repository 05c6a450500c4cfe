"""Families of those who are tried: who is in them, under what name a trial is kept, and Holm."""

from __future__ import annotations

from dataclasses import replace

import cause_samples
import pytest
from statsmodels.stats.multitest import multipletests

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.family import Family, TrialOutcome
from faultlens.auditing.result import Flips, Intervention

CLASS = FeatureSet(3, "2-res", [1203, 1309])
FLIPS = Flips(9, 1, 1, 1.0)


def trial(necessity: float, sufficiency: float | None) -> TrialOutcome:
    """A trial of these p-values, both effects on the side of their claims."""
    enough = None
    if sufficiency is not None:
        enough = replace(cause_samples.sufficiency(), p_value=sufficiency, p_holm=None)
    need = replace(cause_samples.necessity(), p_value=necessity, p_holm=None, shown=False)
    return TrialOutcome(Intervention(need, enough, None, FLIPS, [], None), None)


def test_those_who_are_the_same_are_in_it_once() -> None:
    turned = FeatureSet(None, "2-res", [1309, 1203])
    member, elsewhere = FeatureSet(None, "2-res", [1203]), FeatureSet(None, "3-res", [1203, 1309])
    family = Family.of("found", [CLASS, turned, member, elsewhere, member], 0.05)
    assert family.accused == [CLASS, member, elsewhere]
    assert family.twin(turned) is CLASS
    assert family.twin(FeatureSet(None, "3-res", [1203])) is None


def test_a_trial_is_kept_by_family_site_and_all_features() -> None:
    found, named = (Family.of(name, [CLASS], 0.05) for name in ("found", "named"))
    others = [FeatureSet(None, "2-res", [1203]), FeatureSet(None, "3-res", [1203, 1309]),
              FeatureSet(None, "2-res", [1203, 1310])]  # fmt: skip
    stages = [family.stage(a) for family in (found, named) for a in [CLASS, *others]]
    assert len(set(stages)) == len(stages)
    assert found.stage(CLASS) == found.stage(FeatureSet(None, "2-res", [1309, 1203]))
    assert all(stage.replace("-", "").isalnum() and len(stage) < 40 for stage in stages)


def test_the_controls_grow_with_the_family() -> None:
    members = [FeatureSet(i, "2-res", [i]) for i in range(9)]
    assert [Family.of("found", members[:n], 0.05).controls for n in (0, 1, 4, 5, 9)] == [
        199, 199, 199, 299, 499,
    ]  # fmt: skip


def test_holm_runs_over_every_effect_of_the_family() -> None:
    family = Family.of("found", [FeatureSet(i, "2-res", [i]) for i in range(4)], 0.05)
    p = [0.005, 0.03, 0.01, 0.02, 0.6]
    trials = [
        trial(p[0], p[1]),
        TrialOutcome(None, "too few"),
        trial(p[2], None),
        trial(p[3], p[4]),
    ]
    done = family.settled(trials)
    effects = [e for t in done if t.intervention is not None for e in t.intervention.effects]
    expected = multipletests(p, method="holm")[1]
    assert [e.p_value for e in effects] == p
    assert [e.p_holm for e in effects] == pytest.approx(expected.tolist())
    assert [e.shown for e in effects] == [True, False, True, False, False]
    assert done[1] == trials[1]
    assert Family.of("named", [], 0.05).settled([]) == []
