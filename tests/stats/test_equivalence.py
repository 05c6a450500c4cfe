"""Equivalence classes: what must be one, what must not, and scikit-learn's Jaccard as referee."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.metrics import jaccard_score

from faultlens.stats import equivalence
from faultlens.stats.equivalence import equivalence_classes, rarer_jaccard


def classes_of(values: np.ndarray, effects: list[float] | None = None) -> list[list[int]]:
    signs = np.ones(values.shape[1]) if effects is None else np.array(effects)
    found = equivalence_classes(csr_matrix(values.astype(np.float32)), signs)
    return [members.tolist() for members in found]


def on_first(counts: list[int], n: int = 300) -> np.ndarray:
    """Features that fire, at strength 1, on their first so many prompts."""
    return (np.arange(n)[:, None] < np.array(counts)).astype(float)


def noise(n: int, features: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.lognormal(size=(n, features)) * (rng.random((n, features)) < 0.3)


def expected_jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """Firing compared with firing, or silence with silence; never one with the other."""
    if (2 * a.sum() > len(a)) != (2 * b.sum() > len(b)):
        return 0.0
    rarer = 0 if 2 * a.sum() > len(a) else 1
    return float(jaccard_score(a, b, pos_label=rarer, zero_division=0))


def test_rarer_jaccard_is_that_of_scikit_learn() -> None:
    """Sparse, dense, half, never and always firing features."""
    rng = np.random.default_rng(0)
    firing = rng.random((60, 12)) < np.linspace(0, 1, 12)
    firing[:, 5] = np.arange(60) < 30
    firing[:, 6] = np.arange(60) >= 30
    ours = rarer_jaccard(csr_matrix(firing.astype(np.float32)))
    theirs = [[expected_jaccard(a, b) for b in firing.T] for a in firing.T]
    np.testing.assert_allclose(ours, theirs)


def test_copies_are_one_class_and_noise_is_apart() -> None:
    values = noise(300, 6, seed=1)
    values[:, 2] = 3.5 * values[:, 0]
    values[:, 5] = 0.1 * values[:, 0]
    assert classes_of(values) == [[0, 2, 5], [1], [3], [4]]


def test_dense_copies_are_one_class() -> None:
    values = 5 + noise(300, 4, seed=2)
    values[:, 3] = 2 * values[:, 1]
    assert classes_of(values) == [[0], [1, 3], [2]]


def test_features_of_opposite_effect_are_apart() -> None:
    values = np.repeat(5 + noise(300, 1, seed=3), 3, axis=1)
    assert classes_of(values, [0.4, -0.4, 0.2]) == [[0, 2], [1]]


def test_dense_features_that_mirror_each_other_are_apart() -> None:
    values = 5 + noise(300, 1, seed=4).clip(max=4)
    assert classes_of(np.hstack([values, 10 - values])) == [[0], [1]]


def test_the_same_prompts_at_unlike_strengths_are_apart() -> None:
    rng = np.random.default_rng(5)
    fires = np.arange(300) < 60
    values = np.where(fires[:, None], rng.lognormal(0, 1.5, size=(300, 2)), 0)
    assert classes_of(values) == [[0], [1]]


def test_features_that_fire_nearly_everywhere_are_compared_by_their_silence() -> None:
    """Both pairs fire together on at least 98 % of prompts; only one pair is silent together."""
    base = np.linspace(0.1, 50, 300)
    values = np.column_stack([base, base, base])
    values[[0, 1, 2], 0] = 0
    values[[3, 4, 5], 1] = 0
    values[[0, 1, 2], 2] = 0
    assert np.corrcoef(values, rowvar=False).min() > 0.99
    assert classes_of(values) == [[0, 2], [1]]


def test_a_chain_does_not_close() -> None:
    """a ~ b and b ~ c at Jaccard .96, but a and c only at .92."""
    values = on_first([100, 96, 92])
    assert (np.corrcoef(values, rowvar=False) >= 0.9).all()
    jaccard = rarer_jaccard(csr_matrix(values))
    assert jaccard[0, 1] >= 0.95
    assert jaccard[1, 2] >= 0.95
    assert jaccard[0, 2] < 0.95
    assert classes_of(values) == [[0, 1], [2]]
    assert classes_of(values[:, [1, 0, 2]]) == [[0, 1], [2]]


def test_the_threshold_itself_is_alike() -> None:
    assert classes_of(on_first([100, 95])) == [[0, 1]]
    assert classes_of(on_first([100, 94])) == [[0], [1]]


def test_none_one_and_silent_features() -> None:
    assert classes_of(np.zeros((5, 0))) == []
    assert classes_of(np.ones((5, 1))) == [[0]]
    values = np.hstack([np.zeros((300, 1)), noise(300, 2, seed=6)])
    assert classes_of(values) == [[0], [1], [2]]


def alike(values: np.ndarray, effects: np.ndarray, a: int, b: int) -> bool:
    jaccard = expected_jaccard(values[:, a] > 0, values[:, b] > 0)
    correlation = np.corrcoef(values[:, a], values[:, b])[0, 1]
    return bool(jaccard >= 0.95 and correlation >= 0.9 and effects[a] * effects[b] > 0)


def near_copies(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three prototypes, each copied with a few prompts silenced, some with the effect reversed."""
    rng = np.random.default_rng(seed)
    fires = rng.random((120, 3)) < [0.3, 0.45, 0.6]
    values = (fires * rng.uniform(1, 3, fires.shape))[:, rng.integers(0, 3, 12)]
    values[rng.random(values.shape) < 0.02] = 0
    return values, rng.choice([-1.0, 1.0, 1.0, 1.0], 12)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_classes_part_the_features_and_all_within_one_are_alike(seed: int) -> None:
    values, effects = near_copies(seed)
    found = classes_of(values, effects.tolist())
    assert sorted(chain.from_iterable(found)) == list(range(12))
    assert found == sorted(sorted(members) for members in found)
    for members in found:
        assert all(alike(values, effects, a, b) for a, b in combinations(members, 2))
    for one, other in combinations(found, 2):  # complete linkage leaves no two that could be one
        assert not all(alike(values, effects, a, b) for a in one for b in other)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_permuting_features_permutes_classes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = noise(200, 8, seed)[:, rng.integers(0, 8, 15)] * rng.uniform(0.5, 2, 15)
    effects = rng.choice([-1.0, 1.0], 15)
    order = rng.permutation(15)
    moved = classes_of(values[:, order], effects[order].tolist())
    assert sorted(sorted(order[m].tolist()) for m in moved) == classes_of(values, effects.tolist())


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values, effects = near_copies(7)
    values = np.hstack([values, 5 + noise(120, 3, seed=8), np.ones((120, 2))])
    effects = np.concatenate([effects, np.ones(5)])
    whole = classes_of(values, effects.tolist())
    monkeypatch.setattr(equivalence, "CELLS", 300)  # some features, and two pairs, at a time
    assert classes_of(values, effects.tolist()) == whole
    assert max(map(len, whole)) > 1
