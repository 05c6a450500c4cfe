"""Stream: a corpus as a shuffled sequence of tokens, the same however often it is asked for.

Texts are cut into pieces of at most `context` tokens, and the pieces are permuted anew for every
pass over the corpus. Which tokens come n-th depends on the corpus and the seed alone, so that a run
that was interrupted goes on with the tokens that it would have read next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from faultlens.errors import UserError
from faultlens.models.model import Model
from faultlens.models.start_token import start_of
from faultlens.progress import Tick

HELD_OUT_SHARE = 0.1  # of the corpus's tokens, at most
WANTED_PER_FEATURE = 20  # different tokens a feature, below which a reader is warned


@dataclass(frozen=True, eq=False)
class Span:
    """Part of a piece: tokens `first` to `last` (exclusive) of `pieces[piece]` are learnt from."""

    piece: int
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class TokenStream:
    """The pieces of a corpus, endless, in an order that the seed decides.

    Attributes:
        pieces: token ids of each piece, without BOS.
        seed: of the order.
    """

    pieces: Sequence[np.ndarray]
    seed: int

    @cached_property
    def _lengths(self) -> np.ndarray:
        return np.array([len(piece) for piece in self.pieces])

    @cached_property
    def tokens(self) -> int:
        """Different tokens, that is, those of one pass over the corpus."""
        return int(self._lengths.sum())

    def spans(self, start: int, count: int) -> list[Span]:
        """Where tokens `start` to `start + count` of the endless stream lie."""
        found: list[Span] = []
        epoch, offset = divmod(start, self.tokens)
        while count > 0:
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.pieces))
            ends = np.cumsum(self._lengths[order])
            at = int(np.searchsorted(ends, offset, side="right"))
            while count > 0 and at < len(order):
                piece = int(order[at])
                length = int(self._lengths[piece])
                first = offset - int(ends[at] - length)
                last = min(length, first + count)
                found.append(Span(piece, first, last))
                offset, count, at = offset + last - first, count - (last - first), at + 1
            epoch, offset = epoch + 1, 0
        return found


def split_corpus(
    model: Model,
    texts: Sequence[str],
    context: int,
    held_out: int,
    seed: int,
    tick: Tick,
) -> tuple[TokenStream, list[list[int]]]:
    """A corpus in tokens: what is learnt from, and the pieces that are held out.

    Args:
        texts: the corpus.
        context: tokens of a piece, the start token included.
        held_out: tokens to hold out, whole texts, at most a tenth of all.
        seed: of what is held out, and of the stream.
        tick: told of the texts done.

    Raises:
        UserError: no text has a token.
    """
    before = start_of(model).ids
    room = min(context, model.context) - len(before)
    by_text = []
    for text in texts:
        ids = np.array(model.after_start(model.ids(text), before), dtype=np.int32)
        by_text.append([ids[i : i + room] for i in range(0, len(ids), room)])
        tick(1)
    tokens = np.array([sum(map(len, pieces)) for pieces in by_text])
    if not tokens.sum():
        raise UserError(f"the corpus has no token in any of its {len(texts)} texts")
    most = min(held_out, int(HELD_OUT_SHARE * tokens.sum()))
    apart = set(_drawn(tokens, most, seed))
    learnt = [piece for i, pieces in enumerate(by_text) if i not in apart for piece in pieces]
    kept = [piece.tolist() for i in sorted(apart) for piece in by_text[i]]
    if not learnt:
        raise UserError(
            f"the corpus has {len(texts)} text of {tokens.sum()} tokens, and nothing is left to "
            "learn from beside what is held out: expected more texts, or held_out = 0"
        )
    return TokenStream(learnt, seed), kept


def _drawn(tokens: np.ndarray, most: int, seed: int) -> Iterator[int]:
    """Texts drawn at random while they fit into `most` tokens."""
    held = 0
    for index in np.random.default_rng([seed, 1]).permutation(len(tokens)):
        if 0 < tokens[index] <= most - held:
            held += int(tokens[index])
            yield int(index)


def check_size(stream: TokenStream, widest: int) -> list[str]:
    """What to know of a corpus that is small for the width, a sentence each.

    Raises UserError where it has fewer different tokens than a dictionary has features.
    """
    if stream.tokens < widest:
        raise UserError(
            f"the corpus has {stream.tokens} tokens to learn from, fewer than the {widest} features"
            " of the widest dictionary: expected several tokens a feature; give more text or a "
            "smaller --width"
        )
    if stream.tokens < WANTED_PER_FEATURE * widest:
        return [
            f"the corpus has {stream.tokens} different tokens for {widest} features, fewer than "
            f"{WANTED_PER_FEATURE} for each: rare features are learnt from very few examples"
        ]
    return []
