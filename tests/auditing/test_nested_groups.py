"""Prompts that repeat one another within what a task declares: every permutation knows of both."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

import faultlens as fl
from faultlens.auditing.factors import level_test, levels, within
from faultlens.auditing.feature_tests import conditional, correlates, other_scoring
from faultlens.corpus.answers import Answers
from faultlens.features.table import FeatureTable
from faultlens.stats.block_sets import outcome_sets

PAIRS = 80
MODULES = (level_test, levels, within, conditional, correlates, other_scoring)


def planted() -> tuple[FeatureTable, Answers]:
    """Each prompt twice but for a word; the colour goes with failure, and so does a feature."""
    rng = np.random.default_rng(3)
    words = rng.choice([*"abcdefghijklmnopqrst"], (PAIRS, 12))
    texts = [" ".join(row) for row in words]
    texts += [f"{text} z" for text in texts]
    colour, length = rng.integers(0, 3, PAIRS), rng.integers(5, 60, PAIRS)
    fails = rng.random(PAIRS) < np.where(colour == 0, 0.8, 0.15)
    values = rng.random((PAIRS, 20)) * (rng.random((PAIRS, 20)) < 0.4)
    values[:, 0] = fails * rng.random(PAIRS) + (rng.random(PAIRS) < 0.1)
    records = [
        {
            "prompt": text,
            "target": "Ann",
            "generated": ("Bob" if fails[i % PAIRS] else "Ann") + ("" if i % 5 else " and Ann"),
            "factors": {"colour": f"c{colour[i % PAIRS]}", "length": str(length[i % PAIRS])},
            "groups": {"document": str((i % PAIRS) // 4)},
        }
        for i, text in enumerate(texts)
    ]
    matrix = csr_matrix(np.vstack([values, values]).astype(np.float32))
    table = FeatureTable("noise", matrix, pd.DataFrame({"text": texts}), {})
    return table, Answers.from_records(records, "nested")


def test_all_permutations_keep_what_repeats_together(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, list[Any]] = defaultdict(list)
    for module in MODULES:

        def recorded(*of: Any, name: str = module.__name__, **named: Any) -> np.ndarray:
            given[name].append(named.get("parts"))
            return outcome_sets(*of, **named)

        monkeypatch.setattr(module, "outcome_sets", recorded)
    table, answers = planted()
    audit = fl.audit({"noise": table}, answers, permutations=199, baselines=False)
    assert (audit.groups.groups, audit.groups.nearly) == (PAIRS // 4, PAIRS)
    assert set(given) == {module.__name__ for module in MODULES}
    parts = [of for calls in given.values() for of in calls]
    assert all(of is not None for of in parts)
