"""Token activations: the tokens of some texts as one dictionary sees them, those that count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, vstack

from faultlens.features.token_choice import LeftOut


@dataclass(frozen=True, eq=False)
class EncodedTokens:
    """Tokens of some texts, one after the other, as one dictionary encodes them.

    Attributes:
        ids: of the tokens, `[tokens]`.
        special, massive: which do not count, and why, boolean `[tokens]`.
        norms: the norm of the site's value at each token, `[tokens]`.
        matrix: float32 CSR `[tokens that count, d_sae]`.
    """

    ids: np.ndarray
    special: np.ndarray
    massive: np.ndarray
    norms: np.ndarray
    matrix: csr_matrix

    @classmethod
    def joined(cls, parts: Sequence[EncodedTokens]) -> EncodedTokens:
        """The tokens of all parts, in order."""
        if len(parts) == 1:
            return parts[0]
        ids, special, massive, norms = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("ids", "special", "massive", "norms")
        )
        matrix = csr_matrix(vstack([part.matrix for part in parts], format="csr"))
        return cls(ids, special, massive, norms, matrix)

    @property
    def counts(self) -> np.ndarray:
        """Which tokens count, boolean `[tokens]`."""
        counting: np.ndarray = ~(self.special | self.massive)
        return counting

    @property
    def every_token(self) -> csr_matrix:
        """The activations with a row for every token, empty where one does not count."""
        return _with_empty_rows(self.matrix, np.flatnonzero(self.counts), len(self.ids))

    def take(self, tokens: np.ndarray) -> EncodedTokens:
        """Some of the tokens, by a boolean mask."""
        if tokens.all():
            return self
        return EncodedTokens(
            self.ids[tokens],
            self.special[tokens],
            self.massive[tokens],
            self.norms[tokens],
            csr_matrix(self.matrix[np.flatnonzero(tokens[self.counts])]),
        )

    def of_texts(self, lengths: np.ndarray) -> TokenActivations:
        """The same by text, of so many tokens each, `[texts]`."""
        kept = self.counts
        text = np.repeat(np.arange(len(lengths)), lengths)
        position = np.arange(len(self.ids)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        per_text = np.bincount(text[kept], minlength=len(lengths))
        return TokenActivations(
            self.matrix,
            np.concatenate([[0], np.cumsum(per_text)]),
            position[kept].astype(np.int32),
            self.norms[kept],
            LeftOut(text[~kept], self.ids[~kept], self.massive[~kept]),
        )


@dataclass(frozen=True, eq=False)
class TokenActivations:
    """The activations of the tokens of some texts that count, through one dictionary.

    Attributes:
        matrix: float32 CSR `[tokens, d_sae]`.
        offsets: `[texts + 1]`: rows `offsets[i]:offsets[i + 1]` are the tokens of the i-th text.
        positions: of each token in its text, from 0, BOS not counted, int32 `[tokens]`.
        norms: the norm of the site's value at each token, `[tokens]`.
        left_out: the texts' other tokens.
    """

    matrix: csr_matrix
    offsets: np.ndarray
    positions: np.ndarray
    norms: np.ndarray
    left_out: LeftOut

    def by_position(self, tokens: int) -> csr_matrix:
        """Of one text of so many tokens, a row for each of them, empty where one is left out."""
        return _with_empty_rows(self.matrix, self.positions, tokens)

    def reasons(self, tokens: int) -> dict[int, str]:
        """Of one text of so many tokens, why some of them are left out, by their position."""
        positions = np.setdiff1d(np.arange(tokens), self.positions)
        why = np.where(self.left_out.massive, "massive", "special")
        return dict(zip(positions.tolist(), why.tolist(), strict=True))


def _with_empty_rows(matrix: csr_matrix, rows: np.ndarray, count: int) -> csr_matrix:
    """`count` rows, those of `matrix` at `rows` (ascending), the others empty."""
    firing = np.zeros(count, dtype=np.int64)
    firing[rows] = np.diff(matrix.indptr)
    indptr = np.concatenate([[0], np.cumsum(firing)])
    return csr_matrix((matrix.data, matrix.indices, indptr), shape=(count, matrix.shape[1]))
