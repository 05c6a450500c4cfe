"""The published seven-category study, from its matrices: to the digit, and beyond chance or not.

Acceptance figures: per category the peak feature, the peak, the Gini, Σ, the top-5 share in percent
and the shortlist score, at mean pooling, τ = 5, k = 5. The published ones come from float32, the
files are float16: one unit in the last digit may differ.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom
from transformers import GPT2TokenizerFast

from faultlens.corpus.texts import Corpus, read_corpus
from faultlens.features.table import FeatureTable, table_from_matrix
from faultlens.profiling.chance import against_chance, draw_nulls
from faultlens.profiling.config import ProfileConfig
from faultlens.profiling.measures import SiteMeasures
from faultlens.profiling.result import Profile
from faultlens.profiling.study import profile_tables
from faultlens.progress import SILENT

FILES = {"6-res-jb": "layer06.npz", "8-res-jb": "layer08.npz"}
PUBLISHED = {
    "6-res-jb": {
        "Python": (6501, 9.5, 0.08, 39.8, 5.3, 5),
        "URLs": (20051, 8.7, 0.05, 36.5, 4.2, 2),
        "Math": (12543, 8.6, 0.11, 33.5, 5.7, 6),
        "Non-English": (2351, 12.9, 0.08, 54.7, 5.9, 1),
        "Social": (19212, 10.1, 0.13, 37.5, 4.7, 5),
        "Formal": (22570, 6.6, 0.07, 27.1, 3.2, 1),
        "Conversational": (17244, 7.6, 0.05, 32.3, 4.1, 1),
    },
    "8-res-jb": {
        "Python": (9303, 11.5, 0.05, 50.1, 5.2, 5),
        "URLs": (9763, 10.9, 0.08, 47.7, 4.3, 2),
        "Math": (5807, 11.8, 0.09, 49.7, 6.5, 9),
        "Non-English": (17337, 22.6, 0.12, 83.0, 6.9, 1),
        "Social": (23163, 12.0, 0.12, 41.2, 4.2, 9),
        "Formal": (18191, 12.3, 0.13, 41.0, 3.5, 1),
        "Conversational": (22894, 9.7, 0.10, 38.4, 3.5, 1),
    },
}
MOST_FREQUENT = {"6-res-jb": (16383, 69), "8-res-jb": (15075, 69)}


@pytest.fixture(scope="module")
def corpus(reference_data: Path) -> Corpus:
    return read_corpus(reference_data / "seven_categories" / "texts.jsonl")


@pytest.fixture(scope="module")
def tables(reference_data: Path, corpus: Corpus) -> dict[str, FeatureTable]:
    folder = reference_data / "seven_categories"
    return {
        name: table_from_matrix(name, folder / file, corpus.texts, "mean")
        for name, file in FILES.items()
    }


@pytest.fixture(scope="module")
def profile(tables: dict[str, FeatureTable], corpus: Corpus) -> Profile:
    return profile_tables(tables, corpus, ProfileConfig.of(threshold=5.0, top_k=5))


@pytest.mark.parametrize("site", FILES)
@pytest.mark.parametrize("category", PUBLISHED["6-res-jb"])
def test_every_published_figure_comes_out(profile: Profile, site: str, category: str) -> None:
    feature, peak, gini, top_sum, share, score = PUBLISHED[site][category]
    reading = profile.sites[site].categories[category]
    assert reading.peak.feature == f"{site}/{feature}"
    assert round(reading.peak.activation, 1) == pytest.approx(peak, abs=0.1001)
    assert round(reading.gini, 2) == pytest.approx(gini, abs=0.01001)
    assert round(reading.top_sum, 1) == pytest.approx(top_sum, abs=0.1001)
    assert round(100 * reading.top_share, 1) == pytest.approx(share, abs=0.1001)
    assert reading.shortlist_specialist.score == score


@pytest.mark.parametrize("site", FILES)
def test_the_most_frequent_features_are_the_published_ones(profile: Profile, site: str) -> None:
    frequent = profile.sites[site].most_frequent
    feature, texts = MOST_FREQUENT[site]
    assert (frequent.feature, frequent.texts) == (f"{site}/{feature}", texts)
    assert frequent.coverage == pytest.approx(69 / 70)


def test_ties_and_better_features_than_the_shortlist_has_are_shown(profile: Profile) -> None:
    layer_6 = profile.sites["6-res-jb"]
    assert layer_6.most_selective is not None
    assert layer_6.most_selective.ties == 49
    assert layer_6.categories["Non-English"].specialist.score == 3


def test_all_seven_are_beyond_chance_by_auroc_and_three_by_score(profile: Profile) -> None:
    by_auroc = profile.beyond_chance("selectivity")
    assert all(found == list(FILES) for found in by_auroc.values())
    by_score = profile.beyond_chance("specialist")
    assert [c for c, found in by_score.items() if found] == ["Python", "Math", "Social"]


def test_length_in_tokens_alone_tells_some_categories(
    reference_data: Path, tables: dict[str, FeatureTable], corpus: Corpus
) -> None:
    folder = reference_data / "gpt2_tokenizer"
    tokenizer = GPT2TokenizerFast(
        vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt")
    )
    table = tables["6-res-jb"]
    lengths = [len(tokenizer(text)["input_ids"]) for text in corpus.texts]
    rows = table.rows.assign(tokens=lengths)
    counted = FeatureTable(table.name, table.matrix, rows, table.convention, table.layer)
    result = profile_tables(
        {"6-res-jb": counted}, corpus, ProfileConfig.of(threshold=5.0, permutations=99)
    )
    assert result.lengths["Conversational"].auroc == pytest.approx(0.17, abs=0.005)
    assert result.lengths["Python"].auroc == pytest.approx(0.75, abs=0.005)
    assert result.lengths["Python"].unit == "tokens"


def test_random_labels_give_specialists_no_more_often_than_they_should(
    tables: dict[str, FeatureTable], corpus: Corpus
) -> None:
    """Negative control: 200 random labellings of both sites, each tested as the true one is.

    The null depends on the sizes of the categories alone, so one serves them all.
    """
    measures = {name: SiteMeasures.of(table, 5.0) for name, table in tables.items()}
    nulls = draw_nulls(measures, corpus, 10_000, 0, SILENT)
    rng = np.random.default_rng(7)
    labellings, hits = 200, {"auroc": 0, "score": 0}
    for _ in range(labellings):
        labels = rng.permutation(np.array(corpus.labels))
        chance = against_chance(measures, Corpus("shuffled", corpus.texts, tuple(labels)), nulls)
        for by in hits:
            tested = getattr(chance, by).values()
            hits[by] += any(cell.p_holm <= 0.05 for cell in tested)
    limit = binom.ppf(0.99, labellings, 0.05)
    assert hits["auroc"] <= limit
    assert hits["score"] <= limit
    true = against_chance(measures, corpus, nulls)  # positive control: the same null, true labels
    assert all(cell.p_holm <= 0.05 for cell in true.auroc.values())
