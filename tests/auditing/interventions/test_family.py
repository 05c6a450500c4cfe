"""Families of feature sets: their members, the names of their checkpoints, and Holm."""

from __future__ import annotations

from dataclasses import replace

import cause_samples
import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.family import Family, TrialOutcome
from faultlens.auditing.result import Flips, Intervention

CLASS = FeatureSet("2-res", (1203, 1309))
FLIPS = Flips(9, 1, 1, 1.0)


def trial(necessity: float, sufficiency: float | None) -> TrialOutcome:
    """An outcome of these p-values, both effects on the side of their claims."""
    enough = None
    if sufficiency is not None:
        enough = replace(cause_samples.sufficiency(), p_value=sufficiency, p_holm=None)
    need = replace(cause_samples.necessity(), p_value=necessity, p_holm=None, shown=False)
    return TrialOutcome(Intervention(need, enough, None, FLIPS, [], None), None)


def test_equal_sets_are_in_it_once() -> None:
    turned = FeatureSet("2-res", (1309, 1203))
    member, elsewhere = FeatureSet("2-res", (1203,)), FeatureSet("3-res", (1203, 1309))
    family = Family.of("found", [CLASS, turned, member, elsewhere, member], 0.05, True)
    assert [*map(id, family.members)] == [*map(id, (CLASS, member, elsewhere))]
    assert turned in family.members
    assert FeatureSet("3-res", (1203,)) not in family.members


def test_an_outcome_is_kept_by_family_site_and_all_features() -> None:
    found, named = (Family.of(name, [CLASS], 0.05, True) for name in ("found", "named"))
    others = [FeatureSet("2-res", (1203,)), FeatureSet("3-res", (1203, 1309)),
              FeatureSet("2-res", (1203, 1310))]  # fmt: skip
    names = [family.checkpoint_name(a) for family in (found, named) for a in [CLASS, *others]]
    assert len(set(names)) == len(names)
    turned = FeatureSet("2-res", (1309, 1203))
    assert found.checkpoint_name(CLASS) == found.checkpoint_name(turned)
    assert all(name.replace("-", "").isalnum() and len(name) < 40 for name in names)


def test_the_controls_grow_with_the_family() -> None:
    members = [FeatureSet("2-res", (i,)) for i in range(9)]
    tests = [Family.of("found", members[:n], 0.05, True).test for n in (0, 1, 4, 5, 9)]
    assert [test.planned for test in tests] == [199, 199, 199, 299, 499]
    assert [test.most for test in tests] == [999, 999, 999, 1499, 2499], "where it is near"


def test_controls_stop_at_the_familys_level_unless_all_are_wanted() -> None:
    found = [Family.of("found", [CLASS], alpha, True).test.enough for alpha in (0.05, 0.1)]
    assert found == [10, 20]
    assert not Family.of("found", [CLASS], 0.05, stop_early=False).test.early


@pytest.mark.parametrize("share", [1.0, 0.2])
def test_stopping_beside_the_others_changes_nothing_that_holm_says(share: float) -> None:
    """Of 60 families of six effects, some real: the same are significant as with every control."""
    members = [FeatureSet("2-res", (i,)) for i in range(3)]
    family = Family.of("found", members, 0.05, True, share)
    rng, spared, significant = np.random.default_rng(2), 0, 0
    for _ in range(60):
        chance = rng.choice([0.0, 0.004, 0.02, 0.06, 0.5], size=6)
        draws = rng.random((6, family.test.limit)) < chance[:, None]
        full = [family.test.p_value(of) for of in draws]
        now = [family.test.least_p(of[:15]) for of in draws]
        for member in range(3):
            own = slice(2 * member, 2 * member + 2)
            test = family.test_beside([*now[: own.start], *now[own.stop :]])
            now[own] = [test.p_value(of) for of in draws[own]]
            spared += sum(bool(test.counted(of) < family.test.counted(of)) for of in draws[own])
        said = [multipletests(p, family.level, "holm")[0] for p in (full, now)]
        assert (said[0] == said[1]).all()
        significant += int(said[0].sum())
    assert spared > 60 and significant > 20, "both happen"


def test_a_member_with_one_effect_is_one_test_more() -> None:
    """Of five p the fourth is significant; were there six, it would not be, nor would the fifth."""
    family = Family.of("found", [FeatureSet("2-res", (i,)) for i in range(3)], 0.05, True)
    others = [0.005, 0.006, 0.01, 0.02]
    assert multipletests([0.0, *others], 0.05, "holm")[0].all()
    assert family.test_beside(others, 1).needed == 0.05
    assert family.test_beside([0.005, 0.006, 0.6, 0.7], 1).needed == pytest.approx(0.05 / 3)


def test_holm_runs_over_every_effect_of_the_family() -> None:
    family = Family.of("found", [FeatureSet("2-res", (i,)) for i in range(4)], 0.05, True)
    p = [0.005, 0.03, 0.01, 0.02, 0.6]
    outcomes = [
        trial(p[0], p[1]),
        TrialOutcome(None, "too few"),
        trial(p[2], None),
        trial(p[3], p[4]),
    ]
    done = family.with_holm(outcomes, least=0.1)
    effects = [e for t in done if t.intervention is not None for e in t.intervention.effects]
    expected = multipletests(p, method="holm")[1]
    assert [e.p_value for e in effects] == p
    assert [e.p_holm for e in effects] == pytest.approx(expected.tolist())
    assert [e.shown for e in effects] == [True, False, True, False, False]
    assert done[1] == outcomes[1]
    assert Family.of("named", [], 0.05, True).with_holm([], least=0.1) == []


def test_a_part_of_alpha_is_the_level_and_takes_as_many_controls_as_it_needs() -> None:
    members = [FeatureSet("2-res", (i,)) for i in range(4)]
    part = Family.of("found", members, 0.05, True, share=0.8)
    assert part.level == pytest.approx(0.04)
    assert part.test.planned == 199, "1/200 times 8 effects is .04"
    pair = Family.of("together", members[:1], 0.05, True, share=0.2)
    assert 2 / (pair.test.planned + 1) <= pair.level
    p = [0.006, 0.001]
    done = part.with_holm([trial(p[0], None), trial(p[1], None)], 0.0)
    shown = [one.intervention.necessity.shown for one in done if one.intervention is not None]
    assert shown == [True, True]
    few = replace(part, share=0.1).with_holm([trial(p[0], None), trial(p[1], None)], 0.0)
    assert [one.intervention.necessity.shown for one in few if one.intervention is not None] == [
        False, True,
    ]  # fmt: skip
