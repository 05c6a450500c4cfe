"""A cause by absence, in a model edited by hand: brought in it restores, taken away it breaks."""

from __future__ import annotations

import numpy as np
import pytest
from by_hand import FAILING, OBJECTS, asked, axes, dictionary, made

import faultlens as fl
from faultlens.auditing.interventions.reversed_test import goes_with_success
from faultlens.auditing.result import ClassReading
from faultlens.features.lens import Lens
from faultlens.models.model import Model

SHIELDED = {
    **{name: {"push": 3.5, "bystander": 2.0} for name in FAILING},
    **{name: {"push": 3.5, "pull": 3.0} for name in OBJECTS if name not in FAILING},
}
"""Every object pushes towards the wrong answer; those that succeed are pulled back harder."""
SHIELD, BYSTANDER = "1-res-hand/0", "1-res-hand/1"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return made(tmp_path_factory.mktemp("shielded"), SHIELDED)


@pytest.fixture(scope="module")
def lens(model: Model) -> Lens:
    """A feature of what successes have and failures lack, and one of no consequence."""
    axis = axes()
    found = dictionary(1, {"shield": axis["pull"], "bystander": axis["bystander"]})
    found.b_enc[0] = -2.5  # every object pulls by 2, those that succeed by 5
    return Lens(model, (found,))


@pytest.fixture(scope="module")
def audit(lens: Lens) -> fl.Audit:
    return fl.audit(lens, asked(100), permutations=300, baselines=False, fit_check=False)


def reading(audit: fl.Audit, feature: str) -> ClassReading:
    (found,) = [reading for _, reading in audit.classes if feature in reading.features]
    return found


def test_a_cause_by_absence_is_tested_the_other_way_round_and_found(audit: fl.Audit) -> None:
    found = reading(audit, SHIELD)
    assert (found.fail_active, found.success_active) == (0, 60)
    assert found.goes_with == "success"
    assert found.verdict.label == "CAUSE"
    assert ": it goes with success; bringing it in moves the answer by +" in found.verdict.sentence
    assert "; taking it away moves the answer by −" in found.verdict.sentence
    done = found.intervention
    assert done is not None and done.reversed and done.sufficiency is not None
    assert (done.necessity.on, done.necessity.turned_share) == (
        "failures where the class is silent", 1.0,
    )  # fmt: skip
    assert (done.sufficiency.on, done.sufficiency.turned_share) == (
        "successes where the class fires", 1.0,
    )  # fmt: skip
    assert (done.flips.prompts, done.flips.failure_to_success) == (40, 40)
    assert [variant.scale for variant in done.variants] == [0.5, 1.0, 1.5, 2.0]
    changes = [variant.change for variant in done.variants]
    assert changes == sorted(changes)


def test_what_is_asked_after_the_find_of_an_absence(audit: fl.Audit) -> None:
    done = reading(audit, SHIELD).intervention
    assert done is not None and done.after is not None
    after = done.after
    assert after.dose is not None
    assert after.dose.scales == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert after.dose.monotone
    assert (after.absorption, after.error_recovery) == (None, None)


def test_a_feature_that_goes_with_failure_beside_it_is_no_cause(audit: fl.Audit) -> None:
    found = reading(audit, BYSTANDER)
    assert found.goes_with == "failure"
    assert found.intervention is None or not found.intervention.shown


def test_the_list_and_the_ledger_name_the_sign(audit: fl.Audit) -> None:
    from faultlens.report.audit.class_list import class_list

    table = class_list(audit)
    assert table is not None
    row = next(row for row in table.rows if row.cells[0].text == SHIELD)
    assert row.cells[2].note.startswith("goes with success, p ")
    assert any(claim.claim.endswith("goes with failure") for claim in audit.claims)


def test_the_sign_of_what_a_user_names_is_that_of_its_firing() -> None:
    failed = np.arange(60) < 20
    assert goes_with_success(~failed, failed, 0.05)
    assert not goes_with_success(failed, failed, 0.05)
    assert not goes_with_success(np.arange(60) % 2 == 0, failed, 0.05), "chance"


def test_a_named_feature_that_failures_lack_is_not_refused(lens: Lens) -> None:
    found = fl.audit(
        lens, asked(60), permutations=300, baselines=False, fit_check=False, test_classes=0,
        test_attributed=0, test_features=[SHIELD],
    )  # fmt: skip
    done = reading(found, SHIELD).intervention
    assert done is not None and done.reversed and done.shown
