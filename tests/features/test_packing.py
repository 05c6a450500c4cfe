"""Packing: every token is read once, in its place, and no pass is larger than the budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultlens.features.packing import PackedTexts, pack, place

texts_of = st.lists(
    st.one_of(
        st.lists(st.integers(1, 40), min_size=1, max_size=1),
        st.lists(st.integers(1, 40), min_size=2, max_size=4),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(
    lengths=texts_of,
    bos=st.integers(0, 1),
    budget=st.integers(1, 200),
    row=st.sampled_from([0, 16, 41]),
)
def test_every_token_of_every_text_is_read_once_within_the_budget(
    lengths: list[list[int]], bos: int, budget: int, row: int
) -> None:
    groups = list(pack(lengths, bos, budget, row))
    assert sorted(t for group in groups for t in group.texts) == list(range(len(lengths)))
    for group in groups:
        pieces = [piece for one in group.passes for line in one.rows for piece in line]
        assert [p.text for p in pieces] == [t for t in group.texts for _ in lengths[t]]
        assert [p.tokens for p in pieces] == [n for t in group.texts for n in lengths[t]]
        for one in group.passes:
            assert len(one.rows) * one.width <= budget or len(one.rows) == 1
            used = [sum(piece.tokens + bos for piece in line) for line in one.rows]
            assert max(used) == one.width
            assert all(
                len(line) == 1 or total <= row for line, total in zip(one.rows, used, strict=True)
            )


@settings(max_examples=60, deadline=None)
@given(lengths=texts_of, bos=st.integers(0, 1), row=st.sampled_from([0, 30]))
def test_ids_lie_where_the_tokens_says(lengths: list[list[int]], bos: int, row: int) -> None:
    counter = iter(range(1, 10**6))
    ids = {(t, i): np.array([next(counter) for _ in range(n)], dtype=np.int32)
           for t, parts in enumerate(lengths) for i, n in enumerate(parts)}  # fmt: skip
    for group in pack(lengths, bos, 64, row):
        parts = iter([ids[t, i] for t in group.texts for i in range(len(lengths[t]))])
        for one in group.passes:
            mine = [next(parts) for line in one.rows for _ in line]
            tokens = place(one, mine, [0] * bos)
            real = tokens.ids[tokens.line, tokens.column]
            assert real.tolist() == [i for part in mine for i in part.tolist()]
            assert (tokens.ids > 0).sum() == len(real)  # all else is BOS and padding
            expected = np.concatenate([np.arange(len(part)) + bos for part in mine])
            assert (tokens.positions[tokens.line, tokens.column] == expected).all()
            # Where a text begins the positions do: each step is 1 or back to 0.
            step = np.diff(tokens.positions, axis=1)
            assert ((step == 1) | (tokens.positions[:, 1:] == 0)).all()
            assert (tokens.positions[:, 0] == 0).all()


def test_short_texts_share_rows_and_long_ones_do_not_widen_them() -> None:
    lengths = [[9]] * 20 + [[95]] + [[60]] * 2
    groups = list(pack(lengths, bos=1, budget=10**6, row=96))
    (one,) = groups[0].passes
    assert one.width == 96
    assert len(one.rows) == 5  # 96; 61 + 3 x 10, twice; 9 x 10; 5 x 10
    separate = list(pack(lengths, bos=1, budget=10**6, row=0))
    assert len(separate[0].passes[0].rows) == len(lengths)


def test_the_plan_depends_on_lengths_alone() -> None:
    lengths = [[3], [30], [7], [7], [12, 40]]
    first = list(pack(lengths, 1, 64, 32))
    assert first == list(pack(lengths, 1, 64, 32))
    assert isinstance(first[0], PackedTexts) and first[-1].texts == [4]


@pytest.mark.parametrize("row", [0, 32])
def test_nothing_needs_no_pass(row: int) -> None:
    assert list(pack([], 1, 64, row)) == []
