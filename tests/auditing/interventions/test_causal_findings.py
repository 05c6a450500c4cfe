"""Whole audits of a model edited by hand: it is known what causes its failures, and what does not.

The model, its dictionaries and its prompts are those of `by_hand`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from by_hand import CLEAR, FAILING, NARROW, OBJECTS, WRONG, asked, axes, dictionary, made

import faultlens as fl
from faultlens.auditing.result import ClassReading, Intervention
from faultlens.corpus.task import Task
from faultlens.features.lens import Lens
from faultlens.models.model import Model


def audited(lens: Lens, task: Task, tried: int = 3, searched: int = 1) -> fl.Audit:
    return fl.audit(
        lens, task, permutations=500, baselines=False, fit_check=False, test_classes=tried,
        test_attributed=searched,
    )  # fmt: skip


def reading(audit: fl.Audit, feature: str) -> ClassReading:
    found = [reading for _, reading in audit.classes if feature in reading.features]
    assert len(found) == 1, [reading.features for _, reading in audit.classes]
    return found[0]


def tried(found: ClassReading) -> Intervention:
    assert found.intervention is not None
    return found.intervention


@pytest.fixture(scope="module")
def clear(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return made(tmp_path_factory.mktemp("clear"), CLEAR)


@pytest.fixture(scope="module")
def one_site(clear: Model) -> fl.Audit:
    """Cause, bystander and copy in one dictionary; every prompt in other words as well."""
    axis = axes()
    features = {name: axis[name] for name in ("push", "bystander", "copy")}
    task = asked()
    prompts = tuple(replace(p, rewordings=(f"w0 {p.text}",)) for p in task.prompts)
    return audited(Lens(clear, (dictionary(1, features),)), replace(task, prompts=prompts))


LEAN = 0.02
CAUSE, BYSTANDER, COPY = "1-res-hand/0", "1-res-hand/1", "1-res-hand/2"


def test_the_cause_is_measured_again_in_the_users_other_words(one_site: fl.Audit) -> None:
    after = tried(reading(one_site, CAUSE)).after
    assert after is not None
    again = after.under_rewordings
    assert again is not None
    assert again.rewordings == again.failures == again.fires == 80
    assert again.holds
    assert again.turned == again.could_turn == again.prompts == 30
    (claim,) = [c for c in one_site.claims if c.control.startswith("the same edit where")]
    assert (claim.claim, claim.outcome) == (f"{CAUSE} matters for failure", "passed")


def test_the_model_fails_on_the_objects_that_push(one_site: fl.Audit) -> None:
    rates = {level: found.rate for level, found in one_site.factors["object"].items()}
    assert rates == {name: float(name in FAILING) for name in OBJECTS}
    assert {o.generated.split()[0] for o in one_site.outcomes if not o.success} == {WRONG}


def test_nothing_but_the_three_goes_with_failure(one_site: fl.Audit) -> None:
    """The other features read the same at the first object whatever it is, but for rounding."""
    found = {feature for _, reading in one_site.significant for feature in reading.features}
    assert found == {CAUSE, BYSTANDER, COPY}


def test_the_direction_that_pushes_the_wrong_answer_is_a_cause(one_site: fl.Audit) -> None:
    found = reading(one_site, CAUSE)
    assert found.features == [CAUSE]
    assert found.verdict.label == "CAUSE"
    done = tried(found)
    assert done.sufficiency is not None
    assert done.necessity.shown and done.sufficiency.shown
    assert (done.necessity.turned_share, done.sufficiency.turned_share) == (1.0, 1.0)
    assert done.necessity.control_turned_share < 0.1
    assert done.flips.failure_to_success == done.flips.prompts == 80
    assert done.null is None, "there is an effect"


def test_the_search_names_the_cause_first_and_its_test_agrees(one_site: fl.Audit) -> None:
    first = one_site.attribution["1-res-hand"].top[0]
    assert first.feature == CAUSE
    assert first.effect is not None and first.effect.shown
    assert first.tested_as == [CAUSE] and first.intervention is None, "it is with its class"
    assert first.effect == tried(reading(one_site, CAUSE)).necessity
    others = one_site.attribution["1-res-hand"].top[1:]
    assert not any(other.effect is not None and other.effect.shown for other in others)


@pytest.fixture(scope="module")
def with_search(clear: Model) -> Lens:
    axis = axes()
    features = {name: axis[name] for name in ("push", "bystander", "copy")}
    return Lens(clear, (dictionary(0, features), dictionary(1, features)))


def test_where_no_class_is_tried_the_search_finds_the_cause_and_levels_are_swapped(
    with_search: Lens,
) -> None:
    audit = audited(with_search, asked(100), tried=0, searched=1)
    found = [r for site in audit.attribution.values() for r in site.top if r.tested_as]
    assert [r.tested_as for r in found] == [[r.feature] for r in found] and len(found) == 1
    held = reading(audit, found[0].feature)
    assert held.verdict.label == "CAUSE"
    others = [r for _, r in audit.significant if r is not held]
    assert others and all("effect not tested" in r.verdict.sentence for r in others)
    assert audit.counterfactuals is not None and audit.counterfactuals.swaps


def test_without_classes_and_search_the_swaps_are_left_and_the_ledger_says_why(
    with_search: Lens,
) -> None:
    audit = audited(with_search, asked(100), tried=0, searched=0)
    assert audit.attribution == {} and not any(r.intervention for _, r in audit.classes)
    assert audit.counterfactuals is not None
    for swap in audit.counterfactuals.swaps:
        sites = [patch.site for patch in swap.patches if not patch.features]
        assert sites == ["0-res-hand", "1-res-hand"], "the whole value at every site"
    (claim,) = [c for c in audit.claims if c.control == "intervention"]
    assert claim.detail == "the audit was asked to test no class (test_classes = 0)"


def test_what_fires_at_the_same_time_is_no_cause(one_site: fl.Audit) -> None:
    """It goes with failure as surely as the cause does, and fires on the same prompts."""
    found, cause = reading(one_site, BYSTANDER), reading(one_site, CAUSE)
    assert (found.fail_active, found.success_active) == (cause.fail_active, cause.success_active)
    assert found.features == [BYSTANDER], "by its strength it is a class of its own"
    done = tried(found)
    assert done.sufficiency is not None
    assert not done.necessity.shown and not done.sufficiency.shown
    assert done.flips.failure_to_success == 0
    assert found.verdict.label.startswith("PROXY of object = ")
    assert all(name in found.verdict.label for name in FAILING)


def test_a_copy_of_the_object_without_effect_is_a_proxy_and_its_null_is_proven(
    one_site: fl.Audit,
) -> None:
    found = reading(one_site, COPY)
    assert found.verdict.label == "PROXY of object = keys"
    done = tried(found)
    assert done.necessity.prompts >= 29
    assert done.null is not None
    assert done.null.within and done.null.proven
    assert (done.null.positive_control_passed, done.null.positive_control_restored) == (True, 1.0)
    assert "null proven" in found.verdict.sentence


def test_swapping_the_object_restores_and_the_cause_carries_it(one_site: fl.Audit) -> None:
    assert one_site.counterfactuals is not None
    keys = next(swap for swap in one_site.counterfactuals.swaps if swap.level == "keys")
    assert keys.swapped_for not in FAILING
    assert (keys.failure_to_success, keys.success_to_failure) == (40, 0)
    shares = {
        tuple(patch.features): patch.denoise.value
        for patch in keys.patches
        if patch.denoise is not None
    }
    assert shares[CAUSE,] > 0.8
    assert abs(shares[COPY,]) < 0.05
    assert shares[()] == pytest.approx(1.0, abs=1e-4), "the whole value"


def test_a_bystander_at_another_site_is_no_cause(clear: Model) -> None:
    axis = axes()
    before = dictionary(0, {"bystander": axis["bystander"]})
    after = dictionary(1, {"push": axis["push"]})
    audit = audited(Lens(clear, (before, after)), asked(100))
    assert reading(audit, "1-res-hand/0").verdict.label == "CAUSE"
    other = reading(audit, "0-res-hand/0")
    assert not tried(other).necessity.shown
    assert other.verdict.label.startswith("PROXY of object = ")


def test_where_the_positive_control_passed_nothing_a_proxys_effect_is_inconclusive(
    clear: Model,
) -> None:
    """The feature fires at the first object, from which nothing flows to the answer.

    That changing it does nothing says nothing of what it would do elsewhere: the whole value put
    in at that place does nothing either.
    """
    axis = axes()
    first = (axis["copy"] + axis["first"]) / 2**0.5
    narrow = dictionary(1, {"first": first})
    narrow.b_enc[0] = -4.5  # keys alone 2.1, the place alone 2.8, both 4.9
    audit = audited(Lens(clear, (narrow,)), asked())
    found = reading(audit, "1-res-hand/0")
    assert (found.fail_active, found.success_active) == (40, 0)
    assert found.verdict.label == "PROXY of object = keys"
    null = tried(found).null
    assert null is not None
    assert null.within and null.restoration_high <= 0.1
    assert (null.positive_control_passed, null.positive_control_restored, null.proven) == (
        False,
        0.0,
        False,
    )
    assert "effect inconclusive" in found.verdict.sentence


def test_what_turns_borderline_prompts_by_next_to_nothing_is_not_shown(tmp_path: Path) -> None:
    """Beyond every control and certain, but less than a tenth of the gap.

    Its direction leans a fiftieth towards the wrong answer.
    """
    axis = axes()
    leaning = axis["bystander"] + LEAN * (axis["push"] - axis["pull"]) / 2**0.5
    lens = Lens(made(tmp_path, NARROW), (dictionary(1, {"leaning": leaning / leaning.norm()}),))
    audit = audited(lens, asked())
    found = reading(audit, "1-res-hand/0")
    done = tried(found)
    assert [r.features for _, r in audit.significant] == [["1-res-hand/0"]]
    assert done.necessity.p_value == pytest.approx(1 / 200)
    assert done.necessity.significant(0.05)
    assert done.necessity.least is not None
    assert 0 < done.necessity.adjusted < done.necessity.least
    assert not done.necessity.shown
    assert found.verdict.label.startswith("PROXY of object = ")
