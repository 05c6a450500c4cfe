"""Which tokens count: special tokens and massive activations are read past, and left out.

A special token (BOS, EOS, a turn marker) is no text, and a feature that fires on it says nothing of
the text. A massive activation is an attention sink: many models put an enormous value on one token
and read it as "nothing here". It has the first word's place where there is no BOS, and any token's
in the middle of a text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from faultlens.features.reading_config import MASSIVE
from faultlens.models.lens_config import LensConfig, MassiveActivations
from faultlens.models.model import Model

Choice = MassiveActivations


@dataclass(frozen=True)
class TokenChoice:
    """Which tokens are encoded and pooled, beside those of plain text."""

    special: Choice = "drop"
    """Special tokens that stand in a text: all that the tokenizer marks so. BOS in front never
    counts."""
    massive: Choice = LensConfig.massive
    """Tokens whose value at the site is beyond ten times the median norm there, the median being
    that of a bundled sample of natural text."""

    def special_of(self, ids: np.ndarray, model: Model) -> np.ndarray:
        """Which tokens are left out for being special, boolean `[tokens]`."""
        if self.special == "keep" or not model.special_ids:
            return np.zeros(len(ids), dtype=bool)
        return np.isin(ids, sorted(model.special_ids))

    def massive_of(self, norms: np.ndarray, median: float | None) -> np.ndarray:
        """Which tokens are left out for their norm, boolean `[tokens]`.

        Args:
            norms: of the site's value at each token, `[tokens]`.
            median: of the norm at the site; None: nothing is left out.
        """
        if self.massive == "keep" or median is None:
            return np.zeros(len(norms), dtype=bool)
        large: np.ndarray = norms > MASSIVE * median
        return large


DEFAULT = TokenChoice()


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Tokens of some texts that were read and not encoded.

    Attributes:
        text: the place of each one's text among the texts, `[left out]`.
        token: its id.
        massive: whether for its norm, boolean; the others are special.
    """

    text: np.ndarray
    token: np.ndarray
    massive: np.ndarray

    @classmethod
    def none(cls) -> LeftOut:
        return cls(np.zeros(0, int), np.zeros(0, int), np.zeros(0, bool))

    def counts(self, texts: int) -> tuple[np.ndarray, np.ndarray]:
        """How many special and how many massive tokens of each text, `[texts]` each."""
        special = np.bincount(self.text[~self.massive], minlength=texts)
        return special, np.bincount(self.text[self.massive], minlength=texts)


def counted(model: Model, parts: Sequence[LeftOut]) -> dict[str, dict[str, int]]:
    """How often each token was left out, by reason (`special`, `massive`), the most frequent first.

    A token is named by what it stands for. A reason for which none was left out is not there.
    """
    found = {}
    for reason in ("special", "massive"):
        ids = [part.token[part.massive == (reason == "massive")] for part in parts]
        named: Counter[str] = Counter()
        for token, count in Counter(np.concatenate([np.zeros(0, int), *ids]).tolist()).items():
            named[model.pieces([token])[0]] += count
        if named:
            found[reason] = dict(named.most_common())
    return found
