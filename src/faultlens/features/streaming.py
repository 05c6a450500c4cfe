"""Streaming statistics: what a profile needs of a corpus, kept while the corpus goes by.

What is held is `groups × features × (4 + 3 · top)` numbers, however many tokens are read. Parts of
a corpus may be taken in by different accumulators and merged: counts, maxima and examples are then
exactly those of the whole, sums those of float64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from faultlens.features.token_activations import TokenActivations

NOBODY = -1  # the text of an example that is not there
SUMS = ("_texts", "_tokens", "_texts_firing", "_tokens_firing", "_total", "_squares")


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """One dictionary over the texts of each group; arrays `[groups, d_sae]` unless said otherwise.

    Attributes:
        groups: what the groups are called.
        texts, tokens: how many of each there were, `[groups]`.
        texts_firing: texts in which the feature fires at least once.
        tokens_firing: tokens on which it fires.
        total: sum of its activations over tokens; divided by `tokens` the mean.
        squares: sum of their squares.
        example_activation: largest activation in each of the `top` strongest texts, strongest first
            and, of equals, the earlier text; 0 where fewer fire; `[groups, d_sae, top]`.
        example_text: which texts; −1 where there is none.
        example_position: the first token of the text that has it; −1 where there is none.
    """

    groups: tuple[str, ...]
    texts: np.ndarray
    tokens: np.ndarray
    texts_firing: np.ndarray
    tokens_firing: np.ndarray
    total: np.ndarray
    squares: np.ndarray
    example_activation: np.ndarray
    example_text: np.ndarray
    example_position: np.ndarray

    @property
    def maximum(self) -> np.ndarray:
        """The largest activation; its text and position are the first example's."""
        return self.example_activation[..., 0]


Examples = tuple[np.ndarray, np.ndarray, np.ndarray]  # activation, text, position


@final
class StreamingStatistics:
    """`update` with what is read, `merge` with others, and ask for the `result`."""

    def __init__(self, d_sae: int, groups: Sequence[str] = ("all",), top: int = 5) -> None:
        """Raises ValueError unless there is a feature, a group and an example to keep."""
        if min(d_sae, len(groups), top) < 1 or len(set(groups)) < len(groups):
            raise ValueError("expected features, distinct groups and at least one example")
        self.groups, self.d_sae, self.top = tuple(groups), d_sae, top
        of_groups, shape = len(self.groups), (len(self.groups), d_sae)
        self._texts, self._tokens = np.zeros(of_groups, np.int64), np.zeros(of_groups, np.int64)
        self._texts_firing, self._tokens_firing = (
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
        )
        self._total, self._squares = np.zeros(shape), np.zeros(shape)
        self._examples: Examples = (
            np.zeros((of_groups * d_sae, top), np.float32),
            np.full((of_groups * d_sae, top), NOBODY, np.int64),
            np.full((of_groups * d_sae, top), NOBODY, np.int32),
        )

    def update(
        self,
        seen: TokenActivations,
        texts: Sequence[int],
        groups: Sequence[int] | np.ndarray | None = None,
    ) -> None:
        """Take in some whole texts.

        Args:
            seen: the activations of their tokens, non-negative.
            texts: what each text is called in the corpus; no text may come twice.
            groups: the index of each text's group; None: all are of the first.
        """
        tokens, lengths = seen.matrix, np.diff(seen.offsets)
        of_text = np.zeros(len(lengths), np.int64) if groups is None else np.asarray(groups)
        self.count(of_text, lengths)
        fires = tokens.data > 0
        row = np.repeat(np.arange(tokens.shape[0]), np.diff(tokens.indptr))[fires]
        text = np.repeat(np.arange(len(lengths)), lengths)[row]
        firings = (text, seen.positions[row], tokens.indices[fires], tokens.data[fires])
        self.take(*firings, np.asarray(texts, np.int64), of_text)

    def count(self, groups: np.ndarray, tokens: np.ndarray | None) -> None:
        """Texts that were gone through.

        Args:
            groups: the index of each one's group, `[texts]`.
            tokens: how many of each count; None: not known, and none are counted.
        """
        np.add.at(self._texts, groups, 1)
        if tokens is not None:
            np.add.at(self._tokens, groups, tokens)

    def take(
        self,
        text: np.ndarray,
        position: np.ndarray,
        feature: np.ndarray,
        value: np.ndarray,
        names: np.ndarray,
        groups: np.ndarray,
    ) -> None:
        """Take in all firings of some whole texts; `[firings]` each, positions of a text in order.

        Args:
            text: which of the texts, from 0.
            position: of the token in its text.
            feature, value: what fires, and how strongly; above 0.
            names: what each text is called in the corpus, `[texts]`.
            groups: the index of each text's group, `[texts]`.
        """
        pair = text.astype(np.int64) * self.d_sae + feature
        slot = groups[text] * self.d_sae + feature
        self._tokens_firing += self._counted(slot).astype(np.int64)
        self._total += self._counted(slot, value.astype(np.float64))
        self._squares += self._counted(slot, value.astype(np.float64) ** 2)
        pair, value, row = _strongest_of_pairs(pair, value, np.arange(len(pair)))
        text = pair // self.d_sae
        slot = groups[text] * self.d_sae + pair % self.d_sae
        self._texts_firing += self._counted(slot).astype(np.int64)
        self._keep(slot, (value, names[text], position[row]))

    def _counted(self, slot: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        counted = np.bincount(slot, weights, minlength=len(self.groups) * self.d_sae)
        return counted.reshape(len(self.groups), self.d_sae)

    def _keep(self, slot: np.ndarray, found: Examples) -> None:
        """Put examples where they are among the strongest of their slot."""
        order = np.lexsort((found[1], -found[0], slot))
        slot, value, text, position = (a[order] for a in (slot, *found))
        touched, first, inverse = np.unique(slot, return_index=True, return_inverse=True)
        rank = np.arange(len(slot)) - first[inverse]
        kept = rank < self.top
        new: Examples = (
            np.zeros((len(touched), self.top), np.float32),
            np.full((len(touched), self.top), NOBODY, np.int64),
            np.full((len(touched), self.top), NOBODY, np.int32),
        )
        for array, values in zip(new, (value, text, position), strict=True):
            array[inverse[kept], rank[kept]] = values[kept]
        old = tuple(array[touched] for array in self._examples)
        for array, values in zip(self._examples, _strongest(old, new, self.top), strict=True):
            array[touched] = values

    def merge(self, other: StreamingStatistics) -> StreamingStatistics:
        """The statistics of both parts of a corpus; neither part is changed.

        Raises ValueError if they differ in features, groups or the number of examples.
        """
        if (self.groups, self.d_sae, self.top) != (other.groups, other.d_sae, other.top):
            raise ValueError("only statistics of the same features, groups and examples merge")
        both = StreamingStatistics(self.d_sae, self.groups, self.top)
        for name in SUMS:
            setattr(both, name, getattr(self, name) + getattr(other, name))
        both._examples = _strongest(self._examples, other._examples, self.top)
        return both

    def state(self) -> dict[str, np.ndarray]:
        """All that was taken in, as arrays by name: what `resume` goes on from."""
        examples = zip(("value", "text", "position"), self._examples, strict=True)
        return {name: getattr(self, name) for name in SUMS} | dict(examples)

    def resume(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over a state. Raises ValueError for one of other features, groups or examples."""
        own = self.state()
        given = {name: np.asarray(state[name]) for name in own if name in state}
        if {n: (a.shape, a.dtype) for n, a in given.items()} != {
            n: (a.shape, a.dtype) for n, a in own.items()
        }:
            raise ValueError("the state is not that of the same features, groups and examples")
        for name in SUMS:
            setattr(self, name, given[name].copy())
        value, text, position = (given[n].copy() for n in ("value", "text", "position"))
        self._examples = value, text, position

    def result(self) -> FeatureStatistics:
        """What was taken in so far, frozen."""
        shape = (len(self.groups), self.d_sae, self.top)
        activation, text, position = (array.reshape(shape).copy() for array in self._examples)
        return FeatureStatistics(
            self.groups,
            self._texts.copy(),
            self._tokens.copy(),
            self._texts_firing.copy(),
            self._tokens_firing.copy(),
            self._total.copy(),
            self._squares.copy(),
            activation,
            text,
            position,
        )


def _strongest_of_pairs(pair: np.ndarray, value: np.ndarray, row: np.ndarray) -> Examples:
    """For each pair of text and feature its largest value, and the first row that has it."""
    order = np.argsort(pair, kind="stable")  # rows stay in order
    pair, value, row = pair[order], value[order], row[order]
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    if not len(first):
        return pair, value, row
    largest = np.maximum.reduceat(value, first)
    at = np.flatnonzero(value == np.repeat(largest, np.diff(first, append=len(pair))))
    _, once = np.unique(pair[at], return_index=True)
    return pair[first], largest, row[at[once]]


def _strongest(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...], top: int) -> Examples:
    """Of two sets of examples `[slots, top]` the strongest of each slot."""
    value, text, position = (np.concatenate(pair, axis=1) for pair in zip(one, other, strict=True))
    # Of equals the earlier text; what is not there, of value 0, comes last whatever its text.
    order = np.lexsort((text, -value), axis=1)[:, :top]
    return tuple(np.take_along_axis(a, order, axis=1) for a in (value, text, position))  # type: ignore[return-value]
