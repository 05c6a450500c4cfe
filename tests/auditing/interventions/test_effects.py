"""What turns is counted among the prompts that can turn."""

from __future__ import annotations

import numpy as np
import pytest

from faultlens.auditing.interventions.effects import Measured, effect_of, with_holm
from faultlens.auditing.interventions.equivalence import equivalence_test
from faultlens.auditing.result import Effect
from faultlens.stats.sequential import SequentialTest


def measured(claim: str, margin: list[float], changed: list[float]) -> Effect:
    n = len(margin)
    controls = np.tile(margin, (199, 1)) + np.linspace(-0.01, 0.01, 199)[:, None]
    features = np.arange(199) % 5 < 3
    found = Measured(np.array(margin), np.array(changed), controls, np.full(n, np.nan), features)
    return effect_of(found, SequentialTest(199), claim=claim, kind="", on="", positions="", seed=0)


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


def test_each_family_of_controls_is_told_by_itself() -> None:
    """The controls rise from −0.01 to +0.01: by hand, those at or above the change of 0.005."""
    effect = measured("necessity", [0.0] * 10, [0.005] * 10)
    sizes, features = np.linspace(-0.01, 0.01, 199), np.arange(199) % 5 < 3
    assert [one.name for one in effect.families] == ["features", "covariance"]
    for one, mine in zip(effect.families, (features, ~features), strict=True):
        count = int((sizes[mine] >= 0.005).sum())
        assert (one.controls, one.as_large) == (mine.sum(), count)
        assert one.p_value == pytest.approx((1 + count) / (mine.sum() + 1))
        assert one.change == pytest.approx(sizes[mine].mean())
    assert effect.control_features == features.sum()
    assert effect.controls_as_large == (sizes >= 0.005).sum()


@pytest.mark.parametrize(("claim", "sign"), [("necessity", 1), ("sufficiency", -1)])
def test_what_is_less_than_a_tenth_of_the_gap_is_not_shown(claim: str, sign: int) -> None:
    """Beyond every control and beyond chance, and still next to nothing."""
    effect = measured(claim, [0.0] * 20, [sign * 0.3] * 20)
    for least, shown in ((0.0, True), (0.29, True), (0.31, False)):
        (found,) = with_holm([effect], 0.05, least)
        assert (found.least, found.p_holm, found.shown) == (least, 0.005, shown)
        assert found.significant(0.05)
        assert found.large_enough is shown
    (away,) = with_holm([measured(claim, [0.0] * 20, [-sign * 0.3] * 20)], 0.05, 0.1)
    assert not away.large_enough and not away.shown, "on the other side of the claim"


def test_prompts_that_belong_together_are_drawn_together() -> None:
    """Six prompts in two blocks of one value each: the interval reaches from one to the other."""
    margin, changed = [-1.0] * 6, [0.0] * 3 + [2.0] * 3
    controls, features = np.tile(margin, (199, 1)), np.arange(199) % 5 < 3
    found = Measured(
        np.array(margin), np.array(changed), controls, np.full(6, np.nan), features
    )  # fmt: skip
    alone, together = (
        effect_of(
            found, SequentialTest(199), claim="necessity", kind="", on="", positions="", seed=0,
            blocks=blocks,
        )
        for blocks in (None, np.repeat([4, 9], 3))
    )  # fmt: skip
    assert (together.low, together.high) == pytest.approx((1.0, 3.0))
    assert (together.low_90, together.high_90) == pytest.approx((1.0, 3.0))
    assert (together.turned_low, together.turned_high) == (0, 1)
    assert 1 < alone.low < alone.high < 3
    assert together.change == alone.change


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
