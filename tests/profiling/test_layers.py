"""Across layers: successors by direction, trends against SciPy, difficulty by its definition."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.sparse import csr_matrix

from faultlens.corpus.texts import Corpus
from faultlens.features.table import FeatureTable
from faultlens.profiling.config import ProfileConfig
from faultlens.profiling.layers import compare_layers
from faultlens.profiling.result import Profile
from faultlens.profiling.study import profile_tables

LABELS = ("A",) * 8 + ("B",) * 12
CORPUS = Corpus("planted", tuple(f"text {i}" for i in range(20)), LABELS)
D_SAE, D_IN = 60, 12


def planted(layer: int, mark: int, kind: str = "res-x", scale: float = 1.0) -> FeatureTable:
    """Feature `mark` is large on A and silent elsewhere."""
    rng = np.random.default_rng(layer)
    dense = rng.gamma(2.0, 1.0, (20, D_SAE)) * (rng.random((20, D_SAE)) < 0.4)
    dense[:, mark] = np.where(np.array(LABELS) == "A", 20, 0) * (1 + rng.random(20))
    rows = pd.DataFrame({"text": CORPUS.texts, "tokens": 5, "residual_norm": 4.0 * layer})
    matrix = csr_matrix((scale * dense).astype(np.float32))
    return FeatureTable(f"{layer}-{kind}", matrix, rows, {"pooling": "max"}, layer)


def profiled(tables: list[FeatureTable], decoders: dict[str, np.ndarray]) -> Profile:
    """The profile of tables as a lens with these decoders would give it."""
    found = profile_tables({t.name: t for t in tables}, CORPUS, ProfileConfig.of(permutations=199))
    return replace(found, layers=compare_layers(found.sites, decoders))


@pytest.fixture(scope="module")
def decoders() -> dict[str, np.ndarray]:
    """Feature 7 of layer 2 becomes feature 31 of layer 3, turned slightly and longer."""
    rng = np.random.default_rng(1)
    first, second, third = rng.normal(size=(3, D_SAE, D_IN))
    second[31] = 3 * first[7] + 0.2 * rng.normal(size=D_IN)
    return {"2-res-x": first, "3-res-x": second, "5-res-x": third}


def test_a_feature_is_followed_by_its_direction_not_by_its_index(
    decoders: dict[str, np.ndarray],
) -> None:
    result = profiled([planted(3, 31), planted(5, 31), planted(2, 7)], decoders)
    assert result.layers is not None
    first, second = result.layers.steps
    assert (first.earlier, first.later) == ("2-res-x", "3-res-x"), "in the order of the layers"
    assert (second.earlier, second.later) == ("3-res-x", "5-res-x"), "neighbours, not numbers"
    kept, lost = first.selectivity["A"], second.selectivity["A"]
    assert (kept.earlier, kept.later) == ("2-res-x/7", "3-res-x/31")
    assert (kept.same_index, kept.rank, kept.persists) == (False, 1, True)
    a, b = decoders["2-res-x"][7], decoders["3-res-x"][31]
    assert kept.cosine == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert kept.nearest == "3-res-x/31" and kept.nearest_cosine == kept.cosine
    assert (lost.same_index, lost.persists) == (True, False), "the same index is no persistence"
    assert lost.nearest_cosine is not None and lost.cosine is not None
    assert lost.nearest_cosine > lost.cosine
    unit = [m / np.linalg.norm(m, axis=1, keepdims=True) for m in decoders.values()]
    cosines = unit[1] @ unit[2].T
    assert second.typical_cosine == pytest.approx(np.median(cosines.max(axis=1)))
    assert lost.rank == 1 + (cosines[31] > cosines[31, 31]).sum()


def test_the_nearest_of_unrelated_directions_is_no_persistence() -> None:
    """Noise in 12 dimensions, most of it along three of them, as a dictionary's directions are."""
    rng = np.random.default_rng(3)
    spread = np.array([6.0, 4.0, 3.0, *[1.0] * 9])
    first, second = rng.normal(size=(2, D_SAE, D_IN)) * spread
    unit = [m / np.linalg.norm(m, axis=1, keepdims=True) for m in (first, second)]
    cosines = unit[0] @ unit[1].T
    held = []
    for feature in range(20):
        nearest = int(cosines[feature].argmax())
        layers = profiled(
            [planted(2, feature), planted(3, nearest)], {"2-res-x": first, "3-res-x": second}
        ).layers
        assert layers is not None
        found = layers.steps[0].selectivity["A"]
        assert (found.rank, found.later) == (1, f"3-res-x/{nearest}")
        held.append(found.persists)
    assert sum(map(bool, held)) <= 1, "1 % of chance directions reach that far"
    mixed = rng.normal(size=(20_000, D_SAE)) @ unit[0]
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    expected = np.quantile((mixed @ unit[1].T).max(axis=1), 0.99)
    assert found.chance_cosine == pytest.approx(expected, abs=0.01)
    second[31] = first[5]
    layers = profiled([planted(2, 5), planted(3, 31)], {"2-res-x": first, "3-res-x": second}).layers
    assert layers is not None and layers.steps[0].selectivity["A"].persists is True


def test_without_dictionaries_only_the_index_is_compared() -> None:
    layers = profiled([planted(2, 7), planted(3, 7)], {}).layers
    assert layers is not None
    found = layers.steps[0].specialist["A"]
    assert found.same_index
    assert (found.cosine, found.rank, found.persists, layers.steps[0].typical_cosine) == (
        None, None, None, None,
    )  # fmt: skip


def test_only_sites_of_one_kind_are_compared() -> None:
    assert profiled([planted(2, 7), planted(3, 7, "mlp-x")], {}).layers is None
    tables = [planted(2, 7), planted(3, 7, "mlp-x"), planted(4, 7), planted(5, 7, "mlp-x")]
    layers = profiled(tables, {}).layers
    assert layers is not None
    steps = [(step.earlier, step.later) for step in layers.steps]
    assert steps == [("2-res-x", "4-res-x"), ("3-mlp-x", "5-mlp-x")]
    nameless = [dataclasses.replace(table, layer=None) for table in tables]
    assert profiled(nameless, {}).layers is None


def test_trends_are_spearmans_over_the_layers() -> None:
    heights = {2: 1.0, 3: 0.5, 5: 2.0, 9: 4.0}
    result = profiled([planted(layer, 7, scale=s) for layer, s in heights.items()], {})
    assert result.layers is not None
    peak, relative, total = result.layers.trends["A"]
    assert [t.quantity for t in (peak, relative, total)] == ["peak", "relative peak", "top sum"]
    assert peak.layers == [2, 3, 5, 9] and peak.kind == "res-x"
    tops = [site.categories["A"].peak.activation for site in result.sites.values()]
    assert peak.values == tops
    assert peak.rho == pytest.approx(stats.spearmanr([2, 3, 5, 9], tops).statistic)
    assert peak.ratio == pytest.approx(tops[-1] / tops[0])
    assert relative.values == pytest.approx(
        [top / (4.0 * layer) for top, layer in zip(tops, heights, strict=True)]
    )
    two = profiled([planted(2, 7), planted(3, 7)], {}).layers
    assert two is not None and two.trends["A"][0].rho is None


def test_difficulty_is_one_minus_the_mean_net_catch() -> None:
    easy, mixed = planted(2, 7), planted(3, 7)
    result = profile_tables({t.name: t for t in (easy, mixed)}, CORPUS,
                            ProfileConfig.of(threshold=10.0, permutations=999))  # fmt: skip
    for category, found in result.difficulty.items():
        readings = [site.categories[category] for site in result.sites.values()]
        net = [max(0, r.specialist.inside - r.specialist.outside) / r.texts for r in readings]
        assert found.difficulty == pytest.approx(1 - np.mean(net))
        assert found.best_auroc == max(r.selectivity.auroc for r in readings)
        assert found.sites_by_score == sum(r.specialist.p_holm <= 0.05 for r in readings)
    assert result.difficulty["A"].difficulty == 0.0
    assert (result.difficulty["A"].rank, result.difficulty["B"].rank) == (1, 2)
    assert result.difficulty["A"].first_site == "2-res-x"
    assert result.difficulty["B"].sites_by_score == 0


def test_a_best_score_below_zero_is_no_catch_and_equal_difficulties_share_a_rank() -> None:
    """Every feature is above the threshold on every text: A scores 8 − 12, B 12 − 8."""
    rows = pd.DataFrame({"text": CORPUS.texts, "tokens": 5})
    matrix = csr_matrix(1 + np.random.default_rng(0).random((20, 6)), dtype=np.float32)
    table = FeatureTable("2-res-x", matrix, rows, {}, 2)
    result = profile_tables(
        {"2-res-x": table}, CORPUS, ProfileConfig.of(threshold=0.5, permutations=99)
    )
    assert result.sites["2-res-x"].categories["A"].specialist.score == -4
    assert result.difficulty["A"].difficulty == 1.0
    assert result.difficulty["B"].difficulty == pytest.approx(1 - 4 / 12)
    silent = profile_tables(
        {"2-res-x": table}, CORPUS, ProfileConfig.of(threshold=5.0, permutations=99)
    )
    assert [found.rank for found in silent.difficulty.values()] == [1, 1]
