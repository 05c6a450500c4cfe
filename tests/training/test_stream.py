"""The token stream: every token once a pass, in an order that only corpus and seed decide."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import faultlens as fl
from faultlens.errors import UserError
from faultlens.training.stream import Span, TokenStream, check_size, split_corpus


def tokens_of(stream: TokenStream, spans: list[Span]) -> list[int]:
    return [int(t) for s in spans for t in stream.pieces[s.piece][s.first : s.last]]


@st.composite
def streams(draw: st.DrawFn) -> TokenStream:
    lengths = draw(st.lists(st.integers(1, 7), min_size=1, max_size=9))
    ends = np.cumsum([0, *lengths])
    pieces = [np.arange(a, b) for a, b in pairwise(ends)]
    return TokenStream(pieces, draw(st.integers(0, 5)))


@given(streams(), st.integers(0, 60), st.lists(st.integers(1, 20), min_size=1, max_size=5))
@settings(max_examples=200, deadline=None)
def test_a_stretch_is_the_same_however_it_is_cut(
    stream: TokenStream, start: int, cuts: list[int]
) -> None:
    whole = tokens_of(stream, stream.spans(start, sum(cuts)))
    parts, at = [], start
    for count in cuts:
        parts += tokens_of(stream, stream.spans(at, count))
        at += count
    assert parts == whole
    assert len(whole) == sum(cuts)


@given(streams())
@settings(max_examples=50, deadline=None)
def test_a_pass_reads_every_token_once_and_the_next_in_another_order(stream: TokenStream) -> None:
    first = tokens_of(stream, stream.spans(0, stream.tokens))
    second = tokens_of(stream, stream.spans(stream.tokens, stream.tokens))
    assert sorted(first) == sorted(second) == list(range(stream.tokens))


def test_orders_differ_from_pass_to_pass_and_from_seed_to_seed() -> None:
    pieces = [np.arange(i, i + 1) for i in range(50)]
    stream = TokenStream(pieces, 0)
    one = tokens_of(stream, stream.spans(0, 50))
    assert one != list(range(50))
    assert one != tokens_of(stream, stream.spans(50, 50))
    assert one != tokens_of(TokenStream(pieces, 1), TokenStream(pieces, 1).spans(0, 50))


def test_held_out_texts_are_whole_and_not_learnt_from() -> None:
    model = fl.load("mini", layers=[3]).model
    texts = [f"Mary gave the keys to Tom and the {i} books to Anna." for i in range(40)]
    stream, held_out = split_corpus(model, texts, 8, 60, 0, lambda done: None)
    every = [model.ids(text) for text in texts]
    assert stream.tokens + sum(map(len, held_out)) == sum(map(len, every))
    assert 0 < sum(map(len, held_out)) <= 60
    assert max(map(len, stream.pieces)) == 7  # the context less BOS
    joined = [t for piece in held_out for t in piece]
    assert any(joined[: len(ids)] == ids for ids in every)


def test_a_corpus_that_is_too_small_is_refused_or_warned_of() -> None:
    stream = TokenStream([np.arange(100)], 0)
    with pytest.raises(UserError) as refused:
        check_size(stream, 101)
    assert str(refused.value) == (
        "the corpus has 100 tokens to learn from, fewer than the 101 features of the widest "
        "dictionary: expected several tokens a feature; give more text or a smaller --width"
    )
    assert check_size(stream, 50) == [
        "the corpus has 100 different tokens for 50 features, fewer than 20 for each: rare "
        "features are learnt from very few examples"
    ]
    assert check_size(stream, 5) == []
