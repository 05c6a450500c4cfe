"""Factors, on the published table and by hand. The referees are SciPy and statsmodels."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, fisher_exact, mannwhitneyu
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

from faultlens.auditing.factors.levels import (
    ALL_RARE,
    NO_PROMPTS,
    ONE_LEVEL,
    POOLED,
    factor_table,
    left_out,
    numeric_values,
    prepared,
    trends,
)
from faultlens.errors import UserError


def test_the_published_factor_table_comes_out(reference_data: Path) -> None:
    folder = reference_data / "ioi_audit"
    tasks = [json.loads(line) for line in (folder / "tasks.jsonl").read_text().splitlines()]
    failed = pd.read_csv(folder / "predictions.csv")["success"].to_numpy() == 0
    names = ("object", "place", "template_id", "subject", "indirect_object")
    table = factor_table({name: [str(task[name]) for task in tasks] for name in names}, failed)
    keys = table["object"]["the keys"]
    assert (keys.failures, keys.n) == (42, 45)
    assert keys.low == pytest.approx(0.817, abs=5e-4)
    assert keys.high == pytest.approx(0.986, abs=5e-4)
    assert keys.p_value == pytest.approx(8.79e-33, rel=1e-3)
    assert keys.odds_ratio == pytest.approx(173.9, abs=0.05)
    assert table["object"]["a card"].p_holm == pytest.approx(0.004, abs=5e-4)
    # .019 where levels of fewer than five prompts are not pooled, which makes the family 78.
    assert table["object"]["the bag"].p_holm == pytest.approx(0.0184, abs=5e-5)
    assert next(iter(table["object"])) == "the keys", "levels come by falling failure rate"


def test_levels_are_tested_against_the_rest_and_corrected_together() -> None:
    rng = np.random.default_rng(0)
    factors = {
        "colour": [str(c) for c in rng.choice(["red", "blue", "green"], 90, p=[0.2, 0.3, 0.5])],
        "size": [str(s) for s in rng.choice(["big", "small"], 90)],
    }
    failed = rng.random(90) < 0.3
    table = factor_table(factors, failed)
    raw, mine = [], []
    for factor, levels in factors.items():
        for level, reading in table[factor].items():
            here = np.array(levels) == level
            cells = [
                [(here & failed).sum(), (here & ~failed).sum()],
                [(~here & failed).sum(), (~here & ~failed).sum()],
            ]
            p = fisher_exact(cells).pvalue
            assert reading.p_value == pytest.approx(p)
            raw.append(p)
            mine.append(reading.p_holm)
    assert mine == pytest.approx(list(multipletests(raw, method="holm")[1]))


def test_rare_levels_are_pooled_and_constant_factors_left_out() -> None:
    factors = {"x": ["a"] * 10 + ["b"] * 4 + ["c"] * 3 + ["d"] * 13, "constant": ["k"] * 30}
    table = factor_table(factors, np.arange(30) % 3 == 0)
    assert set(table) == {"x"}
    assert set(table["x"]) == {"a", "d", POOLED}
    assert table["x"][POOLED].n == 7


def test_an_infinite_odds_ratio_is_none() -> None:
    failed = np.array([True] * 6 + [False] * 6)
    table = factor_table({"x": ["a"] * 6 + ["b"] * 6}, failed)
    assert table["x"]["a"].odds_ratio is None
    assert table["x"]["a"].rate == 1.0


def test_no_factors_give_an_empty_table() -> None:
    assert factor_table({}, np.array([True, False])) == {}


def test_a_factor_whose_levels_do_not_match_the_prompts_is_one_sentence() -> None:
    factors = {"x": [str(i) for i in range(12)]}
    expected = "factor 'x' has 12 levels for 2 prompts: expected one level a prompt"
    for read in (factor_table, partial(trends, seed=0)):
        with pytest.raises(UserError) as caught:
            read(factors, np.array([True, False]))
        assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("levels", "numeric"),
    [
        ([str(i) for i in range(9)], True),
        ([str(i) for i in range(8)] * 3, False),
        (["-1.5", "2e3", *(str(i) for i in range(7))], True),
        (["nan", *(str(i) for i in range(9))], False),
        (["inf", *(str(i) for i in range(9))], False),
        (["", *(str(i) for i in range(9))], False),
        (["1_2", *(str(i) for i in range(9))], False),
        ([], False),
    ],
)
def test_numeric_is_a_factor_of_more_than_eight_finite_numbers(
    levels: list[str], numeric: bool
) -> None:
    assert (numeric_values(levels) is not None) == numeric


@pytest.mark.parametrize(
    ("numbers", "bins"),
    [
        # cumulative shares 7/29 at 12, 15/29 at 15 and 20/29 at 20 are nearest to the quartiles
        (
            [10] * 3 + [12] * 4 + [13] * 6 + [15] * 2 + [20] * 5 + [21] * 5 + [30, 31, 32, 33],
            {"<= 12": 7, "13 to 15": 8, "20": 5, "> 20": 9},
        ),
        (range(300), {"<= 74": 75, "75 to 149": 75, "150 to 224": 75, "> 224": 75}),
        (range(-30, -2), {"<= -24": 7, "-23 to -17": 7, "-16 to -10": 7, "> -10": 7}),
        (range(17), {"<= 5": 6, "6 to 10": 5, "> 10": 6}),  # no room for four bins of five
        ([0] * 300 + [*range(1, 9)], {"<= 0": 300, "> 0": 8}),
        ([9] * 300 + [*range(1, 9)], {"<= 8": 8, "> 8": 300}),
        ([5] * 292 + [1, 2, 3, 4, 6, 7, 8, 9], {"5": 292, POOLED: 8}),  # no cut leaves five
    ],
)
def test_numbers_are_binned_near_the_quartiles(numbers: list[int], bins: dict[str, int]) -> None:
    shuffled = np.random.default_rng(0).permutation(np.array([*numbers]))
    found = prepared({"length": [str(i) for i in shuffled]})["length"]
    assert {name: found.count(name) for name in dict.fromkeys(found)} == bins
    for name, number in zip(found, shuffled, strict=True):
        if name.startswith("<= "):
            assert number <= int(name[3:])
        elif name.startswith("> "):
            assert number > int(name[2:])
        elif " to " in name:
            low, high = name.split(" to ")
            assert int(low) <= number <= int(high)


def test_factors_that_cannot_tell_anything_are_left_out_with_the_reason() -> None:
    factors = {
        "kept": ["a", "b"] * 10,
        "constant": ["k"] * 20,
        "name": [f"name {i}" for i in range(20)],
        "number": [str(i) for i in range(20)],
    }
    assert set(prepared(factors)) == {"kept", "number"}
    assert left_out(factors) == {"constant": ONE_LEVEL, "name": ALL_RARE}
    assert left_out({"few": [str(i) for i in range(9)], "none": []}) == {
        "few": ALL_RARE,
        "none": NO_PROMPTS,
    }


def test_preparing_twice_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    factors = {
        "length": [str(i) for i in rng.integers(5, 40, 60)],
        "name": [str(c) for c in rng.choice([*"abcdefghijklmnop"], 60)],
    }
    once = prepared(factors)
    assert once != factors
    assert prepared(once) == once


def test_a_trend_is_the_auroc_and_its_permutation_test() -> None:
    rng = np.random.default_rng(2)
    failed = rng.random(80) < 0.25
    factors = {
        "rising": [str(round(v)) for v in rng.normal(20, 4, 80) + 2.5 * failed],  # with ties
        "falling": [f"{v:.4f}" for v in rng.normal(0, 1, 80) - 1.5 * failed],
        "noise": [str(v) for v in rng.integers(0, 30, 80)],
        "colour": [str(c) for c in rng.choice(["red", "blue"], 80)],
    }
    found = trends(factors, failed, seed=0)
    assert set(found) == {"rising", "falling", "noise"}
    for name, trend in found.items():
        values = np.array([float(v) for v in factors[name]])
        assert trend.auroc == pytest.approx(roc_auc_score(failed, values))
        p = mannwhitneyu(values[failed], values[~failed], use_continuity=False).pvalue
        assert abs(trend.p_value - p) < 4 * np.sqrt(p * (1 - p) / 10_000) + 0.01
    assert found["rising"].p_value < 0.05 < found["noise"].p_value
    assert found["falling"].auroc < 0.5 and found["falling"].p_value < 0.001


def test_the_trend_of_noise_is_significant_at_most_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    factors = {f"noise {i}": [str(v) for v in rng.integers(0, 12, 40)] for i in range(300)}
    failed = np.arange(40) < 9
    found = trends(factors, failed, seed=0)
    assert len(found) == 300
    significant = sum(trend.p_value <= 0.05 for trend in found.values())
    assert significant <= binom.ppf(0.999, 300, 0.05)
    assert significant >= binom.ppf(0.001, 300, 0.04), "a test that never rejects is no test"


def test_without_both_outcomes_there_is_no_trend() -> None:
    factors = {"length": [str(i) for i in range(20)]}
    assert trends(factors, np.ones(20, dtype=bool), seed=0) == {}
    assert trends(factors, np.zeros(20, dtype=bool), seed=0) == {}
    assert set(trends(factors, np.arange(20) < 3, seed=0)) == {"length"}


@given(
    columns=st.integers(0, 40).flatmap(
        lambda n: st.lists(
            st.lists(
                st.one_of(
                    st.sampled_from(["a", "b", "nan", "inf", "", POOLED]),
                    st.integers(-9, 99).map(str),
                    st.floats(allow_nan=False, allow_infinity=False).map(str),
                ),
                min_size=n,
                max_size=n,
            ),
            max_size=4,
        )
    ),
    seed=st.integers(0, 99),
)
def test_any_factors_are_prepared_and_tabled(columns: list[list[str]], seed: int) -> None:
    factors = {f"factor {i}": levels for i, levels in enumerate(columns)}
    n = len(columns[0]) if columns else 0
    failed = np.random.default_rng(seed).random(n) < seed / 99
    ready = prepared(factors)
    assert ready.keys() | left_out(factors).keys() == factors.keys()
    assert not ready.keys() & left_out(factors).keys()
    table = factor_table(ready, failed)
    assert table.keys() == ready.keys()
    for factor, levels in table.items():
        assert sum(reading.n for reading in levels.values()) == n
        assert sum(reading.failures for reading in levels.values()) == failed.sum()
        for reading in levels.values():
            assert 0 <= reading.low <= reading.rate <= reading.high <= 1
            assert 0 < reading.p_value <= reading.p_holm <= 1
        assert set(levels) == set(ready[factor])
