"""One feature looked at: where in a text it fires, and where in a corpus it fires most."""

from __future__ import annotations

from dataclasses import dataclass

from faultlens.corpus.texts import Corpus
from faultlens.features.lens import Lens
from faultlens.features.reading_config import Long
from faultlens.features.store import ActivationStore
from faultlens.features.token_classes import CLASSES, token_classes
from faultlens.profiling.result import FeatureTokens
from faultlens.profiling.token_evidence import TokenMap, feature_tokens


@dataclass(frozen=True)
class TokenReading:
    """One token of a text.

    Attributes:
        token: what it shows of the text.
        token_class: one of `CLASSES`.
        activation: of the feature; 0 where it does not fire.
        left_out: why the token does not count, `special` or `massive`; None: it counts.
    """

    token: str
    token_class: str
    activation: float
    left_out: str | None = None


@dataclass(frozen=True)
class FeatureInText:
    """One feature at every token of a text.

    Attributes:
        tokens: in order, BOS left out.
        classes: share of the feature's activation on each class of token; None if it does not fire.
    """

    tokens: list[TokenReading]
    classes: dict[str, float] | None


def feature_in_text(lens: Lens, name: str, index: int, text: str) -> FeatureInText:
    """Where in a text feature `index` of dictionary `name` fires. The text must fit the context."""
    view = lens.tokens(text)
    activations = view.activations[name][:, [index]].toarray().ravel().tolist()
    shown = zip(view.tokens, token_classes(text, view.tokens), activations, strict=True)
    left_out = view.left_out[name]
    tokens = [
        TokenReading(token, kind, activation, left_out.get(place))
        for place, (token, kind, activation) in enumerate(shown)
    ]
    total = sum(activations)
    if not total:
        return FeatureInText(tokens, None)
    shares = {
        kind: sum(token.activation for token in tokens if token.token_class == kind) / total
        for kind in CLASSES
    }
    return FeatureInText(tokens, shares)


def feature_in_corpus(
    lens: Lens, name: str, index: int, corpus: Corpus, top: int, long: Long
) -> FeatureTokens:
    """A feature's `top` strongest texts, and its classes of token beside a random feature's."""
    store = ActivationStore()
    table = lens.read(corpus.texts, long=long, store=store)[name]
    tokens = TokenMap.of(lens, corpus.texts, long)
    found = feature_tokens(tokens, store.firings(name), table.d_sae, [index], corpus.labels, top)
    return found[index]
