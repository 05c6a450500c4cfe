"""The profile on planted truth: one feature marks a category, the others do not."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from faultlens.corpus.texts import Corpus
from faultlens.errors import UserError
from faultlens.features.table import FeatureTable
from faultlens.profiling.config import ProfileConfig
from faultlens.profiling.result import Profile
from faultlens.profiling.study import profile_tables

LABELS = ("A",) * 8 + ("B",) * 14 + ("C",) * 18
CORPUS = Corpus("planted", tuple(f"text {i}" for i in range(40)), LABELS)


def planted(seed: int = 0, mark: bool = True) -> FeatureTable:
    """200 noise features; feature 17 is large on category A and small elsewhere."""
    rng = np.random.default_rng(seed)
    dense = rng.gamma(2.0, 1.0, (40, 200)) * (rng.random((40, 200)) < 0.3)
    if mark:
        dense[:, 17] = np.where(np.array(LABELS) == "A", 8 + rng.random(40), 0.1)
    rows = pd.DataFrame({"text": CORPUS.texts, "tokens": 5, "residual_norm": 4.0})
    return FeatureTable(
        "3-res-x", csr_matrix(dense.astype(np.float32)), rows, {"pooling": "max"}, 3
    )


def profile(table: FeatureTable, **options: float) -> Profile:
    settings = {"threshold": 5.0, "permutations": 999, **options}
    return profile_tables({"3-res-x": table}, CORPUS, ProfileConfig.of(**settings))


def test_a_planted_specialist_is_found_and_named() -> None:
    reading = profile(planted()).sites["3-res-x"].categories["A"]
    assert reading.selectivity.feature == "3-res-x/17"
    assert reading.selectivity.auroc == 1.0
    assert reading.selectivity.p_holm <= 0.05
    assert (reading.specialist.feature, reading.specialist.score) == ("3-res-x/17", 8)
    assert (reading.specialist.inside, reading.specialist.outside) == (8, 0)
    assert reading.specialist.p_holm <= 0.05


def test_noise_has_a_best_feature_but_none_beyond_chance() -> None:
    result = profile(planted(mark=False))
    for reading in result.sites["3-res-x"].categories.values():
        assert reading.selectivity.auroc > 0.6
        assert reading.selectivity.p_holm > 0.05
    assert not any(result.beyond_chance().values())


def test_peaks_are_the_largest_values_and_relative_to_the_norm() -> None:
    table = planted()
    dense = table.matrix.toarray()
    for category in "ABC":
        inside = np.array(LABELS) == category
        peak = profile(table).sites["3-res-x"].categories[category].peak
        assert peak.activation == dense[inside].max()
        assert peak.relative == pytest.approx(dense[inside].max() / 4.0)
    strongest = profile(table).sites["3-res-x"].strongest
    text, feature = np.unravel_index(dense.argmax(), dense.shape)
    assert (strongest.feature, strongest.text) == (f"3-res-x/{feature}", f"text {text}")


def test_the_default_threshold_is_a_high_percentile_of_what_fires() -> None:
    table = planted()
    site = profile(table, threshold=None).sites["3-res-x"]  # type: ignore[arg-type]
    positive = table.matrix.toarray()[table.matrix.toarray() > 0]
    assert site.threshold == pytest.approx(np.percentile(positive, 99.5))


def test_of_tied_features_the_one_that_peaks_higher_is_named() -> None:
    table = planted(mark=False)
    dense = table.matrix.toarray()
    dense[:, [40, 90]] = [1.0, 2.0]  # fire on every text, as nothing else does
    dense[:8, 60] = 3.0  # and one that fires on all of A, and stronger
    dense[8:, 60] = 0.0
    tied = FeatureTable(table.name, csr_matrix(dense), table.rows, {}, 3)
    site = profile(tied).sites["3-res-x"]
    assert (site.most_frequent.feature, site.most_frequent.ties) == ("3-res-x/90", 2)
    assert (site.most_frequent.texts, site.most_frequent.coverage) == (40, 1.0)
    within = site.categories["A"].most_frequent
    assert (within.feature, within.texts, within.coverage) == ("3-res-x/60", 8, 1.0)
    assert within.ties == 3


def test_a_category_by_itself_is_the_corpus_cut_down_to_it() -> None:
    """Most selective and long tail of a category, against a corpus of its texts alone."""
    table = planted()
    for category in "ABC":
        inside = np.array(LABELS) == category
        found = profile(table).sites["3-res-x"].categories[category]
        dense = table.matrix.toarray()[inside].astype(float)
        counts = (dense > 5.0).sum(axis=0)
        least = counts[counts > 0].min()
        assert found.most_selective is not None
        assert (found.most_selective.texts, found.most_selective.ties) == (
            least,
            (counts == least).sum(),
        )
        totals = np.sort(dense.sum(axis=0))[::-1]
        assert found.tail.participation_ratio == pytest.approx(
            totals.sum() ** 2 / (totals**2).sum(), rel=1e-5
        )
        reached = np.cumsum(totals) / totals.sum()
        assert found.tail.features_90 == 1 + int((reached < 0.9).sum())
    site = profile(table).sites["3-res-x"]
    assert site.curve.ranks[0] == 1 and site.curve.ranks[-1] == site.firing
    assert site.curve.shares[-1] == pytest.approx(1.0)
    assert (np.diff(site.curve.shares) >= 0).all()


def test_a_category_on_which_nothing_fires_has_no_peak() -> None:
    table = planted()
    dense = table.matrix.toarray()
    dense[np.array(LABELS) == "B"] = 0
    silent = FeatureTable("3-res-x", csr_matrix(dense), table.rows, {"pooling": "max"}, 3)
    result = profile(silent)
    found = result.sites["3-res-x"].categories["B"]
    assert (found.peak, found.most_frequent, found.shortlist_specialist) == (None, None, None)
    assert (found.top_share, found.gini, found.tail, found.most_selective) == (None,) * 4
    assert found.top_sum == 0.0
    assert found.selectivity.p_value > 0.05 and found.specialist.p_value > 0.05
    assert result.sites["3-res-x"].categories["A"].peak is not None
    assert Profile.from_dict(json.loads(json.dumps(result.to_dict(), allow_nan=False))) == result


def test_renaming_features_renames_the_result_and_nothing_else() -> None:
    table = planted()
    order = np.random.default_rng(1).permutation(200)
    moved = FeatureTable(table.name, csr_matrix(table.matrix[:, order]), table.rows, {}, 3)
    before = profile(table).sites["3-res-x"].categories
    after = profile(moved).sites["3-res-x"].categories
    for category in "ABC":
        old, new = before[category].selectivity, after[category].selectivity
        assert order[int(new.feature.split("/")[1])] == int(old.feature.split("/")[1])
        assert (new.auroc, new.p_value) == (old.auroc, old.p_value)
        assert after[category].top_sum == pytest.approx(before[category].top_sum)


def test_holm_runs_over_categories_and_sites() -> None:
    table = planted()
    one = profile(table).sites["3-res-x"].categories["A"].selectivity
    both = {"3-res-x": table, "4-res-x": planted(seed=5, mark=False)}
    two = profile_tables(both, CORPUS, ProfileConfig.of(threshold=5.0, permutations=999))
    assert two.sites["3-res-x"].categories["A"].selectivity.p_holm == pytest.approx(2 * one.p_holm)


def test_a_result_survives_json() -> None:
    result = profile(planted())
    assert Profile.from_dict(json.loads(json.dumps(result.to_dict()))) == result
    assert "3-res-x/17" in result._repr_html_()


def test_tables_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match="table 3-res-x has 20 rows, the corpus has 40 texts"):
        profile(planted().take(np.arange(20)))
    silent = FeatureTable("3-res-x", csr_matrix((40, 5)), planted().rows, {}, 3)
    with pytest.raises(UserError, match="no feature of 3-res-x fires on any text of planted"):
        profile(silent)
    with pytest.raises(UserError, match="^no tables to profile: expected one or more, by diction"):
        profile_tables({}, CORPUS)


@pytest.mark.parametrize("threshold", [np.nan, np.inf, -np.inf, -0.5])
def test_a_threshold_that_cannot_be_meant_is_refused(threshold: float) -> None:
    expected = f"^the threshold is {threshold}: expected a finite number >= 0$"
    with pytest.raises(UserError, match=expected):
        profile(planted(), threshold=threshold)
    assert profile(planted(), threshold=0.0).sites["3-res-x"].threshold == 0.0


def test_zeros_that_are_stored_are_no_activations() -> None:
    stored = csr_matrix(np.ones((40, 5), dtype=np.float32))
    stored.data[:] = 0
    with pytest.raises(UserError, match="no feature of 3-res-x fires on any text of planted"):
        profile(FeatureTable("3-res-x", stored, planted().rows, {}, 3))
    table = planted()
    explicit = csr_matrix(np.ones(table.matrix.shape, dtype=np.float32))
    explicit.data[:] = table.matrix.toarray().ravel()
    assert explicit.nnz > table.matrix.nnz
    same = FeatureTable(table.name, explicit, table.rows, table.convention, table.layer)
    assert profile(same) == profile(table)


def test_a_column_that_is_not_there_is_one_sentence() -> None:
    matrix = csr_matrix(planted().matrix)
    matrix.indices[0] = 200
    with pytest.raises(UserError, match="^table 3-res-x holds no valid CSR matrix: .*ind") as told:
        FeatureTable("3-res-x", matrix, planted().rows, {}, 3)
    assert "\n" not in str(told.value)


def test_too_few_permutations_are_said() -> None:
    """Three hypotheses: 3/(149 + 1) is the level, 3/(148 + 1) is above it."""
    told = profile(planted(), permutations=148, alpha=0.02)
    assert told.warnings == [
        "with 148 permutations nothing can be beyond chance after Holm over 3 hypotheses "
        "(categories × sites): at least 149 are needed"
    ]
    assert (told.alpha, not any(told.beyond_chance().values())) == (0.02, True)
    enough = profile(planted(), permutations=149, alpha=0.02)
    assert enough.warnings == []
    assert enough.beyond_chance()["A"] == ["3-res-x"]
