"""A factor that matters only where another one does is found within its strata, and held."""

from __future__ import annotations

import numpy as np

from faultlens.auditing.factors.findings import find_factors
from faultlens.auditing.factors.within import factors_within

N = 300


def where_two_factors_meet(seed: int) -> tuple[dict[str, list[str]], np.ndarray]:
    """Failures at two of eight objects, and there at two of four templates only."""
    rng = np.random.default_rng(seed)
    thing, template, place = (rng.integers(0, levels, N) for levels in (8, 4, 6))
    failed = rng.random(N) < np.where((thing < 2) & (template < 2), 0.8, 0.08)
    factors = {
        "object": [f"o{i}" for i in thing],
        "template": [f"t{i}" for i in template],
        "place": [f"p{i}" for i in place],
    }
    return factors, failed


def test_it_is_found_within_the_strata_and_outside_the_taken_levels_it_is_not() -> None:
    missed = held = 0
    for seed in range(6):
        factors, failed = where_two_factors_meet(seed)
        found = find_factors(factors, ["x"] * N, failed, alpha=0.05, seed=0)
        kept = {*found.selection.kept, *found.pairs.factors(0.05)}
        missed += kept == {"object"}
        held += kept | set(found.within) == {"object", "template"}
    assert held >= 5
    assert missed >= 3, "selection and pairs would have done"


def test_a_factor_that_tells_nothing_is_not_held() -> None:
    held = 0
    for seed in range(20):
        rng = np.random.default_rng(100 + seed)
        factors, _ = where_two_factors_meet(seed)
        failed = rng.random(N) < np.where(np.array(factors["object"]) == "o0", 0.8, 0.08)
        held += bool(factors_within(factors, failed, ["object"], alpha=0.05, seed=0))
    assert held <= 4, "expected 1 of 20"  # P(more than 4) is .003 at .05


def test_nothing_is_asked_where_no_factor_goes_with_failure() -> None:
    factors, failed = where_two_factors_meet(0)
    assert factors_within(factors, failed, [], alpha=0.05, seed=0) == []
    assert factors_within({"object": factors["object"]}, failed, ["object"],
                          alpha=0.05, seed=0) == []  # fmt: skip
