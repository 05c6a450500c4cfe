"""What was found at the level of tokens: where features fire, and on which classes of token."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """The token of one text on which a feature is strongest, with what stands around it."""

    text_id: int  # row of the corpus, from 0
    category: str
    """Category of the text."""
    position: int  # of the token, from 0, BOS not counted
    left: str
    """Text before the token."""
    token: str
    """The token itself."""
    right: str
    """Text after it."""
    activation: float
    """Activation on the token."""


@dataclass(frozen=True)
class ClassShare:
    """How much of a feature's total activation falls on one class of token."""

    share: float
    """Of the feature's total activation."""
    random: float  # the same for a random firing feature of the site: the mean over all that fire
    at_least: float  # share of the firing features with as large a share, this one included


@dataclass(frozen=True)
class FeatureTokens:
    """Where one feature fires."""

    tokens: int  # on how many tokens of the corpus
    total: float  # sum of its activations over them
    classes: dict[str, ClassShare]
    """By class of token."""
    examples: list[Example]  # the strongest texts, one token each


@dataclass(frozen=True)
class TokenEvidence:
    """Where the features that stand out fire: the first evidence on syntax versus meaning."""

    window: int  # tokens shown on either side of an example
    corpus: dict[str, float]  # share of the corpus's tokens in each class
    features: dict[str, FeatureTokens]  # by feature
