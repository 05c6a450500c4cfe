"""Which factors are held: those that go with failure, those of pairs, and all that can be."""

from __future__ import annotations

import numpy as np

from faultlens.auditing.feature_tests.strata import stratify
from faultlens.auditing.result import Selection
from faultlens.stats.strata import informative, stratum_codes

N = 240
A, B, C = (np.random.default_rng(i).choice([*"xyz"], N).tolist() for i in range(3))
NAMES = [f"name {i // 2}" for i in range(N)]
FAILED = np.random.default_rng(9).random(N) < 0.3
FACTORS = {"a": A, "name": NAMES, "b": B, "c": C}
NONE = Selection([], [], [])


def left(*factors: str) -> int:
    codes = stratum_codes([FACTORS[name] for name in factors], N)
    return int((FAILED & informative(FAILED, codes)[codes]).sum())


def test_the_factors_of_pairs_are_held_beside_those_that_selection_kept() -> None:
    found = stratify(FACTORS, FAILED, Selection([], [], ["c"]), ["a", "c"], ["b"])
    assert found.record.factors == ["c", "a", "b"]
    assert found.held == {"c": C, "a": A, "b": B}
    assert found.record.requested == ["b"]


def test_the_finest_strata_hold_every_factor_that_leaves_half_of_the_failures() -> None:
    found = stratify(FACTORS, FAILED, NONE)
    assert found.finest is not None
    assert set(found.record.finest.factors) == {"a", "b", "c"}, "a name has two prompts"
    assert found.record.finest.failures_in_them == left("a", "b", "c") > FAILED.sum() / 2
    assert left("a", "b", "c", "name") < FAILED.sum() / 2
    assert (
        found.finest.tolist()
        == stratum_codes([FACTORS[name] for name in found.record.finest.factors]).tolist()
    )


def test_the_factor_that_leaves_most_failures_is_held_first() -> None:
    first = stratify(FACTORS, FAILED, NONE).record.finest.factors[0]
    assert left(first) == max(left("a"), left("b"), left("c"))
    few = np.arange(N) % 20 == 0
    twins = {"fine": [str(i // 2) for i in range(N)], "coarse": [str(i // 120) for i in range(N)]}
    twins["fine"][0] = twins["fine"][60] = "both fail"
    assert stratify(twins, few, NONE).record.finest.factors[0] == "coarse"


def test_no_finer_strata_are_made_of_fewer_than_ten_failures() -> None:
    few = np.arange(N) % 30 == 0
    assert few.sum() == 8
    found = stratify(FACTORS, few, NONE)
    assert (found.finest, found.record.finest) == (None, None)
    assert stratify({}, FAILED, NONE).finest is None


def test_a_factor_that_matters_within_the_strata_is_held_if_it_leaves_enough() -> None:
    found = stratify(FACTORS, FAILED, Selection([], [], ["c"]), within=["name", "a", "c"])
    assert found.record.factors == ["c", "a"]
    assert (found.record.within, found.record.unheld) == (["a"], ["name"])
    assert left("c", "name") < left("c") / 2 <= left("c", "a")
    assert found.codes.tolist() == stratum_codes([C, A]).tolist()
    plain = stratify(FACTORS, FAILED, NONE).record
    assert (plain.within, plain.unheld) == ([], [])
