"""The nulls of a site's two measures against every feature and every group by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from faultlens.profiling.chance import auroc_null, score_null
from faultlens.profiling.measures import SiteMeasures
from faultlens.stats.label_null import random_sets


def site(threshold: float, features: int = 40) -> tuple[SiteMeasures, np.ndarray]:
    rng = np.random.default_rng(4)
    values = rng.gamma(2.0, size=(24, features)) * (rng.random((24, features)) < 0.4)
    measures = SiteMeasures(np.arange(features), values.astype(np.float32), threshold)
    return measures, random_sets(24, 6, 60, rng)


@pytest.mark.parametrize("threshold", [0.0, 2.0, 6.0, 9.0, 99.0])
def test_the_best_score_under_each_group(threshold: float) -> None:
    """At a high threshold most features are above it on no text, and score 0 with any group."""
    measures, groups = site(threshold)
    for group, best in zip(groups.astype(bool), score_null(measures, groups), strict=True):
        above = measures.values > threshold
        assert best == (above[group].sum(0).astype(int) - above[~group].sum(0)).max()


def test_the_best_score_where_every_feature_is_above_somewhere() -> None:
    measures, groups = site(0.0, features=3)
    dense = SiteMeasures(measures.columns, measures.values + 1, 0.5)
    assert (score_null(dense, groups) == 6 - 18).all(), "above on all texts: 6 inside, 18 outside"


def test_the_best_auroc_under_each_group() -> None:
    measures, groups = site(2.0)
    found = auroc_null(measures, groups)
    least = float(np.quantile(found, 0.6))
    partly = auroc_null(measures, groups, least)
    for group, best, above_least in zip(groups[:20], found[:20], partly[:20], strict=True):
        expected = max(roc_auc_score(group, column) for column in measures.values.T)
        assert best == pytest.approx(expected, abs=1e-6)
        if expected > least:
            assert above_least == best
