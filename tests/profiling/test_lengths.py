"""Length held fixed: what follows length alone falls to chance, what follows the text does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from faultlens.corpus.texts import Corpus
from faultlens.errors import UserError
from faultlens.features.table import FeatureTable
from faultlens.profiling.config import ProfileConfig
from faultlens.profiling.lengths import length_strata
from faultlens.profiling.result import Profile
from faultlens.profiling.study import profile_tables

LABELS = ("long",) * 30 + ("marked",) * 30 + ("rest",) * 60
CORPUS = Corpus("planted", tuple(f"text {i}" for i in range(120)), LABELS)


def table() -> FeatureTable:
    """Category `long` has longer texts and no more; feature 5 is length, feature 9 marks B."""
    rng = np.random.default_rng(0)
    labels = np.array(LABELS)
    lengths = rng.integers(5, 25, 120) + np.where(labels == "long", 12, 0)
    dense = rng.gamma(2.0, 1.0, (120, 80)) * (rng.random((120, 80)) < 0.3)
    dense[:, 5] = lengths + rng.normal(0, 0.5, 120)
    dense[:, 9] = np.where(labels == "marked", 5, 0) * rng.random(120)
    rows = pd.DataFrame({"text": CORPUS.texts, "tokens": lengths})
    return FeatureTable("2-res-x", csr_matrix(dense.astype(np.float32)), rows, {}, 2)


def profiled(strata: int | None) -> Profile:
    return profile_tables(
        {"2-res-x": table()}, CORPUS, ProfileConfig.of(permutations=999, length_strata=strata)
    )


def test_a_feature_that_is_length_is_beyond_chance_until_length_is_held_fixed() -> None:
    free, held = profiled(None).sites["2-res-x"], profiled(12).sites["2-res-x"]
    assert free.categories["long"].selectivity.feature == "2-res-x/5"
    assert free.categories["long"].selectivity.p_holm <= 0.05
    assert held.categories["long"].selectivity.p_holm > 0.05
    assert held.categories["long"].selectivity.auroc == free.categories["long"].selectivity.auroc
    assert held.categories["marked"].selectivity.feature == "2-res-x/9"
    assert held.categories["marked"].selectivity.p_holm <= 0.05
    assert (profiled(None).length_strata, profiled(12).length_strata) == (None, 12)


def test_strata_are_equally_full_and_keep_equal_lengths_together() -> None:
    lengths = np.random.default_rng(1).permutation(np.repeat(np.arange(20), 6))
    strata = length_strata(lengths, 4)
    assert np.bincount(strata).tolist() == [30, 30, 30, 30]
    for length in range(20):
        assert len(set(strata[lengths == length].tolist())) == 1
    assert (np.diff(strata[np.argsort(lengths, kind="stable")]) >= 0).all()


@pytest.mark.parametrize(
    ("strata", "message"),
    [
        (1, "length_strata 1: expected a whole number of at least 2"),
        (0, "length_strata 0: expected a whole number of at least 2"),
        (61, "61 length strata for 120 texts: expected 2 to 60"),
    ],
)
def test_strata_that_hold_nothing_fixed_are_refused(strata: int, message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}$"):
        profiled(strata)


def test_strata_that_came_about_are_counted() -> None:
    """Half the texts of length 5, the others longer: of 5 strata the two lowest edges coincide."""
    lengths = np.repeat([5, 6, 7, 8], [60, 20, 20, 20])
    assert np.unique(length_strata(lengths, 4)).tolist() == [0, 1, 2]
    made = table()
    tied = FeatureTable(made.name, made.matrix, made.rows.assign(tokens=lengths), {}, 2)
    result = profile_tables(
        {"2-res-x": tied}, CORPUS, ProfileConfig.of(permutations=99, length_strata=4)
    )
    assert result.length_strata == 3
    assert "of 4 length strata asked for, 3 came about: many texts are equally long" in (
        result.warnings
    )
    assert not [w for w in profiled(12).warnings if "strata" in w]


def test_lengths_that_leave_one_stratum_are_refused() -> None:
    with pytest.raises(UserError, match="^3 length strata for 9 texts: so many are equally long"):
        length_strata(np.full(9, 5), 3)
    with pytest.raises(UserError, match="fewer than two come about"):
        length_strata(np.array([5] * 4 + [9] * 5), 2)
