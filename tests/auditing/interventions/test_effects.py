"""What turns is counted among the prompts that can turn."""

from __future__ import annotations

import numpy as np
import pytest

from faultlens.auditing.interventions.effects import Measured, effect_of
from faultlens.auditing.interventions.equivalence import equivalence_test
from faultlens.auditing.result import Effect
from faultlens.stats.sequential import SequentialTest


def measured(claim: str, margin: list[float], changed: list[float]) -> Effect:
    n = len(margin)
    controls = np.tile(margin, (199, 1)) + np.linspace(-0.01, 0.01, 199)[:, None]
    found = Measured(np.array(margin), np.array(changed), controls, np.full(n, np.nan))
    return effect_of(
        found, SequentialTest(199), claim=claim, kind="", on="", positions="",
        control_features=0, seed=0,
    )  # fmt: skip


@pytest.mark.parametrize("claim", ["necessity", "sufficiency"])
def test_a_prompt_that_is_so_already_is_neither_restored_nor_broken(claim: str) -> None:
    sign = 1 if claim == "necessity" else -1
    margin = [-sign * 1.0] * 4 + [sign * 1.0] * 6
    changed = [sign * 1.0] * 3 + [-sign * 1.0] + [sign * 2.0] * 6
    effect = measured(claim, margin, changed)
    assert (effect.turned, effect.could_turn, effect.prompts) == (3, 4, 10)
    assert effect.turned_share == pytest.approx(0.75)
    assert effect.control_turned_share == 0
    assert 0.25 <= effect.turned_low < 0.75 < effect.turned_high <= 1


def test_where_nothing_could_turn_nothing_is_said_of_it() -> None:
    effect = measured("necessity", [1.0] * 40, [1.0] * 40)
    assert (effect.turned, effect.able) == (0, 0)
    assert (effect.turned_low, effect.turned_high) == (0, 1)


@pytest.mark.parametrize(("could", "few"), [(40, True), (5, False), (0, False)])
def test_a_null_needs_enough_failures_that_could_have_been_restored(could: int, few: bool) -> None:
    margin = [-1.0] * could + [1.0] * (40 - could)
    null = equivalence_test(
        measured("necessity", margin, margin), gap=4.0, restored=0.9, patched=40
    )
    assert null.within
    assert null.few_restored is few
    assert null.proven is few
    expected = 1 - 0.05 ** (1 / could) if could else 1
    assert null.restoration_high == pytest.approx(expected)
