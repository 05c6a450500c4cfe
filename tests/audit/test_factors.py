"""Factors, on the published table and by hand. The referees are SciPy and statsmodels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact
from statsmodels.stats.multitest import multipletests

from faultlens.audit.factors import POOLED, factor_table


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
