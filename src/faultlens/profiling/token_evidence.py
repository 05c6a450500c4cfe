"""Where the features that stand out fire: top examples, and shares by class of token."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from faultlens.corpus.texts import Corpus
from faultlens.feature_name import by_dictionary, taken_apart
from faultlens.features.lens import Lens
from faultlens.features.reading_config import Long
from faultlens.features.store import ActivationStore, Firings
from faultlens.features.token_classes import CLASSES, token_classes
from faultlens.features.token_text import HALF, decode_after, token_texts
from faultlens.profiling.result import (
    ClassShare,
    Example,
    FeatureTokens,
    Profile,
    SiteReading,
    TokenEvidence,
)

WINDOW = 8  # tokens shown on either side of an example
EXAMPLES = 5  # texts shown for a feature


@dataclass(frozen=True, eq=False)
class TokenMap:
    """The corpus's tokens: what each shows, and its class.

    Attributes:
        ids: of each text, as far as it was read.
        shown: what each token shows, text by text.
        codes: the class of every token, index into `CLASSES`, texts one after the other.
        decode: from ids to text.
    """

    ids: list[list[int]]
    shown: list[list[str]]
    codes: np.ndarray
    decode: Callable[[Sequence[int]], str]

    @classmethod
    def of(cls, lens: Lens, texts: Sequence[str], long: Long) -> TokenMap:
        """The map of `texts`, as the lens reads them."""
        decode = lens.model.tokenizer.decode
        ids = [text.ids.tolist() for text in lens.tokenize(texts, long)]
        shown = [token_texts(decode, of_text) for of_text in ids]
        codes = [
            CLASSES.index(kind)
            for text, of_text in zip(texts, shown, strict=True)
            for kind in token_classes(text, of_text)
        ]
        return cls(ids, shown, np.array(codes), decode)

    @cached_property
    def offsets(self) -> np.ndarray:
        """Where each text begins among all tokens, `[texts + 1]`."""
        return np.concatenate([[0], np.cumsum([len(of_text) for of_text in self.ids])])

    def class_sums(self, firings: Firings, d_sae: int) -> np.ndarray:
        """Total activation of each feature on each class of token, float64 `[d_sae, classes]`."""
        code = self.codes[self.offsets[firings.text] + firings.position]
        cell = firings.feature.astype(np.int64) * len(CLASSES) + code
        sums = np.bincount(cell, weights=firings.activation, minlength=d_sae * len(CLASSES))
        return sums.reshape(d_sae, len(CLASSES))

    def example(self, text: int, position: int, activation: float, category: str) -> Example:
        """One token in its context; characters cut by the window's edge are left out."""
        ids = self.ids[text]
        left = self.decode(ids[max(0, position - WINDOW) : position])
        after = decode_after(self.decode, ids[position : position + 1])
        right = after(ids[position + 1 : position + 1 + WINDOW])
        return Example(
            text,
            category,
            position,
            left.strip(HALF),
            self.shown[text][position],
            right.strip(HALF),
            activation,
        )


def feature_tokens(
    tokens: TokenMap,
    firings: Firings,
    d_sae: int,
    features: Iterable[int],
    labels: Sequence[str],
    examples: int = EXAMPLES,
) -> dict[int, FeatureTokens]:
    """Where each of `features` of one dictionary fires, compared with a random firing feature.

    A random firing feature is drawn from all that fire, each with equal chance: its expected share
    of a class of token is the mean of their shares.
    """
    sums = tokens.class_sums(firings, d_sae)
    totals = sums.sum(axis=1)
    alive = totals > 0
    shares = np.divide(sums, totals[:, None], out=np.zeros_like(sums), where=alive[:, None])
    random = shares[alive].mean(axis=0)
    found = {}
    for feature in features:
        mine = firings.of(feature)
        at_least = (shares[alive] >= shares[feature] - 1e-12).mean(axis=0)
        found[feature] = FeatureTokens(
            tokens=len(mine.text),
            total=float(totals[feature]),
            classes={
                kind: ClassShare(float(share), float(chance), float(tail))
                for kind, share, chance, tail in zip(
                    CLASSES, shares[feature], random, at_least, strict=True
                )
            },
            examples=[
                tokens.example(text, position, activation, labels[text])
                for text, position, activation in _strongest(mine, examples)
            ],
        )
    return found


def _strongest(firings: Firings, most: int) -> list[tuple[int, int, float]]:
    """The strongest token of each of the strongest texts: row, position, activation."""
    best: list[tuple[int, int, float]] = []
    taken: set[int] = set()
    for place in np.argsort(-firings.activation, kind="stable").tolist():
        text = int(firings.text[place])
        if text not in taken:
            taken.add(text)
            best.append((text, int(firings.position[place]), float(firings.activation[place])))
        if len(best) == most:
            break
    return best


def with_features(
    profile: Profile, features: Iterable[str], lens: Lens, corpus: Corpus, store: ActivationStore,
    long: Long,
) -> Profile:  # fmt: skip
    """The same profile with the token evidence of further features, as an audit beside names them.

    Args:
        features: by name; those of dictionaries that the profile does not hold are left out.
        store: what the profile read.
    """
    if profile.tokens is None:
        return profile
    tokens, found = TokenMap.of(lens, corpus.texts, long), dict(profile.tokens.features)
    wanted = by_dictionary(feature for feature in features if feature not in found)
    for name, indices in wanted.items():
        if name not in profile.sites:
            continue
        seen = feature_tokens(
            tokens, store.firings(name), profile.sites[name].d_sae, indices, corpus.labels
        )
        found |= {f"{name}/{index}": of_feature for index, of_feature in seen.items()}
    return replace(profile, tokens=replace(profile.tokens, features=found))


def token_evidence(
    lens: Lens,
    corpus: Corpus,
    store: ActivationStore,
    long: Long,
    sites: Mapping[str, SiteReading],
) -> TokenEvidence:
    """Where each category's top features fire: by AUROC, by score and by peak, at every site."""
    tokens = TokenMap.of(lens, corpus.texts, long)
    features: dict[str, FeatureTokens] = {}
    for name, site in sites.items():
        wanted = {
            taken_apart(feature)[1]
            for reading in site.categories.values()
            for feature in reading.top.values()
            if feature is not None
        }
        found = feature_tokens(
            tokens, store.firings(name), site.d_sae, sorted(wanted), corpus.labels
        )
        features.update({f"{name}/{index}": seen for index, seen in found.items()})
    counted = np.bincount(tokens.codes, minlength=len(CLASSES)) / len(tokens.codes)
    shares = dict(zip(CLASSES, counted.tolist(), strict=True))
    return TokenEvidence(WINDOW, shares, features)
