"""What the direction of a feature says by itself: forecasts, none of them a measurement."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TokenLogit:
    """A token, and the logit that a direction alone gives it."""

    token: str
    """Its text."""
    logit: float
    """Through the model's own final norm, of the direction alone; its size says little, its sign
    and order do."""


@dataclass(frozen=True)
class NearFeature:
    """The feature of another dictionary whose direction lies nearest."""

    feature: str
    """Its name."""
    cosine: float
    """Of the two decoder directions."""
    usual: float
    """The median of the same over 200 random features of the first dictionary."""


@dataclass(frozen=True)
class FeatureDirection:
    """One feature's decoder direction, read through the unembedding and beside other sites."""

    promoted: list[TokenLogit]
    """The tokens whose logits it raises most, the most first; empty where it adds to no residual
    stream."""
    suppressed: list[TokenLogit]
    """Those that it lowers most, the most first."""
    nearest: list[NearFeature]
    """One of each other dictionary that writes to the same residual stream, in their order."""
