"""Streaming statistics: merged parts are the whole, and the whole is what a dense loop counts."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.features.streaming import FeatureStatistics, StreamingStatistics
from faultlens.features.token_activations import TokenActivations
from faultlens.features.token_choice import LeftOut

GROUPS, FEATURES = ("b", "a"), 6

# A text: its group, and its tokens' activations in quarters, so that values tie and sums are exact.
text_of = st.tuples(
    st.integers(0, 1),
    st.lists(
        st.lists(st.sampled_from([0, 0, 1, 2, 3]), min_size=FEATURES, max_size=FEATURES),
        min_size=1,
        max_size=4,
    ),
)
corpora = st.lists(text_of, min_size=3, max_size=9)
Corpus = list[tuple[int, list[list[int]]]]


def taken_in(corpus: Corpus, texts: list[int], top: int) -> StreamingStatistics:
    """Some texts of a corpus, in the order given, two at a time."""
    kept = StreamingStatistics(FEATURES, GROUPS, top)
    for start in range(0, len(texts), 2):
        part = texts[start : start + 2]
        rows = np.concatenate([np.array(corpus[t][1], np.float32) / 4 for t in part])
        lengths = [len(corpus[t][1]) for t in part]
        offsets = np.cumsum([0, *lengths])
        positions = np.concatenate([2 * np.arange(n) + 1 for n in lengths])  # every other counts
        norms = np.ones(len(rows))
        seen = TokenActivations(csr_matrix(rows), offsets, positions, norms, LeftOut.none())
        kept.update(seen, part, [corpus[t][0] for t in part])
    return kept


def counted(corpus: Corpus, top: int) -> dict[str, np.ndarray]:
    """The referee: one loop over every activation."""
    shape = (len(GROUPS), FEATURES)
    found = {
        name: np.zeros(shape) for name in ("texts_firing", "tokens_firing", "total", "squares")
    }
    found |= {"texts": np.zeros(2), "tokens": np.zeros(2)}
    examples = np.zeros((*shape, top)), np.full((*shape, top), -1), np.full((*shape, top), -1)
    for group in range(2):
        for feature in range(FEATURES):
            ranked = []
            for t, (its_group, rows) in enumerate(corpus):
                if its_group != group:
                    continue
                values = [row[feature] / 4 for row in rows]
                found["texts_firing"][group, feature] += max(values) > 0
                found["tokens_firing"][group, feature] += sum(v > 0 for v in values)
                found["total"][group, feature] += sum(values)
                found["squares"][group, feature] += sum(v * v for v in values)
                if max(values) > 0:
                    ranked.append((-max(values), t, 2 * values.index(max(values)) + 1))
            for i, (value, t, position) in enumerate(sorted(ranked)[:top]):
                for array, entry in zip(examples, (-value, t, position), strict=True):
                    array[group, feature, i] = entry
        found["texts"][group] = sum(g == group for g, _ in corpus)
        found["tokens"][group] = sum(len(rows) for g, rows in corpus if g == group)
    names = ("example_activation", "example_text", "example_position")
    return found | dict(zip(names, examples, strict=True))


def same(one: FeatureStatistics, other: FeatureStatistics) -> bool:
    return all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name))
        for field in fields(FeatureStatistics)
    )


@settings(max_examples=60, deadline=None)
@given(corpus=corpora, top=st.integers(1, 4), shuffled=st.randoms())
def test_what_is_taken_in_is_what_a_loop_counts(corpus: Corpus, top: int, shuffled: object) -> None:
    order = list(range(len(corpus)))
    shuffled.shuffle(order)  # type: ignore[attr-defined]
    result = taken_in(corpus, order, top).result()
    for name, expected in counted(corpus, top).items():
        np.testing.assert_array_equal(getattr(result, name), expected, err_msg=name)
    np.testing.assert_array_equal(
        result.maximum, counted(corpus, top)["example_activation"][..., 0]
    )


@settings(max_examples=40, deadline=None)
@given(corpus=corpora, top=st.integers(1, 3), cuts=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_merging_is_associative_and_gives_the_whole(
    corpus: Corpus, top: int, cuts: tuple[float, float]
) -> None:
    first, second = sorted(int(cut * len(corpus)) for cut in cuts)
    everything = list(range(len(corpus)))
    parts = [everything[:first], everything[first:second], everything[second:]]
    a, b, c = (taken_in(corpus, part, top) for part in parts)
    left, right = a.merge(b).merge(c).result(), a.merge(b.merge(c)).result()
    whole = taken_in(corpus, everything, top).result()
    assert same(left, right) and same(left, whole) and same(c.merge(b).merge(a).result(), whole)
    assert same(a.result(), taken_in(corpus, parts[0], top).result()), "merging changed a part"


def test_a_lenss_statistics_are_those_of_its_tables(lens: Lens) -> None:
    texts = ["abcabc", "jihgf", "b", "ddddddd", "hgabd"]
    groups = ["x", "y", "x", "x", "y"]
    found = lens.statistics(texts, groups, top=2)
    for name, table in lens.read(texts, pooling="max").items():
        largest, sums = table.matrix.toarray(), lens.read(texts, "sum")[name].matrix.toarray()
        assert found[name].groups == ("x", "y")
        assert found[name].tokens.tolist() == [14, 10]
        for g, rows in enumerate(([0, 2, 3], [1, 4])):
            assert (found[name].texts_firing[g] == (largest[rows] > 0).sum(0)).all()
            np.testing.assert_allclose(found[name].maximum[g], largest[rows].max(0), rtol=1e-5)
            np.testing.assert_allclose(found[name].total[g], sums[rows].sum(0), rtol=1e-4)
        fires = found[name].example_text[0, :, 0] >= 0
        assert set(found[name].example_text[0, fires, 0].tolist()) <= {0, 2, 3}
    alone = lens.statistics(texts)["1-res-relu"]
    assert alone.groups == ("all",) and alone.texts.tolist() == [5]


def test_memory_does_not_grow_with_the_corpus() -> None:
    kept = StreamingStatistics(FEATURES, GROUPS, 2)
    size = sum(a.nbytes for a in vars(kept).values() if isinstance(a, np.ndarray))
    examples = sum(a.nbytes for a in kept._examples)
    for t in range(50):
        tokens = csr_matrix(np.ones((3, FEATURES), np.float32))
        none = LeftOut.none()
        kept.update(TokenActivations(tokens, np.array([0, 3]), np.arange(3), np.ones(3), none), [t])
    assert size == sum(a.nbytes for a in vars(kept).values() if isinstance(a, np.ndarray))
    assert examples == sum(a.nbytes for a in kept._examples)
    assert kept.result().tokens.tolist() == [150, 0]


def test_what_does_not_fit_together_is_refused(lens: Lens) -> None:
    with pytest.raises(ValueError, match="same features, groups and examples"):
        StreamingStatistics(4).merge(StreamingStatistics(5))
    with pytest.raises(ValueError, match="distinct groups"):
        StreamingStatistics(4, ["a", "a"])
    with pytest.raises(UserError, match="2 texts, but 1 groups: expected one for each"):
        lens.statistics(["ab", "c"], ["x"])
    with pytest.raises(UserError, match="nothing to read"):
        lens.statistics([])
