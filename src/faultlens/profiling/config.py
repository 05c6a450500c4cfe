"""How a profile is made: a small record a stage, each default in one place.

`fl.profile` and `faultlens profile` take the same fields as flat keywords and options; the sentence
under each field is its documentation in both. This module imports nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from numbers import Real
from typing import Any, get_args

from faultlens.checks import check_choice, check_flag, check_probability, check_whole
from faultlens.config import ALPHA, PERMUTATIONS, SEED, configured
from faultlens.errors import UserError
from faultlens.features.reading_config import LONG, Long, ReadingConfig


@dataclass(frozen=True)
class MeasureConfig:
    """What is measured of each feature and category."""

    threshold: float | None = None
    """τ of the specialist score, in activation units: texts above it count; by default each site's
    99.5th percentile of the positive pooled activations."""
    top_k: int = 5
    """Number of per-category maxima in the top-k sum, its share and Gini, and in the shortlist."""

    def __post_init__(self) -> None:
        if self.threshold is not None:
            check_threshold(self.threshold)
        check_whole("top_k", self.top_k, 1)


@dataclass(frozen=True)
class ChanceConfig:
    """How the best feature of each category is compared with chance."""

    permutations: int = PERMUTATIONS
    """Random labellings behind each p-value, at least 99."""
    length_strata: int | None = None
    """Shuffle labels only among texts of like length, in this many strata; by default among all."""

    def __post_init__(self) -> None:
        check_whole("permutations", self.permutations, 99)
        if self.length_strata is not None:
            check_whole("length_strata", self.length_strata, 2)


@dataclass(frozen=True)
class ProfileConfig:
    """How a profile is made."""

    long: Long = LONG
    """What becomes of a text longer than the model's context: `error` stops, `split` reads it in
    parts that are pooled together, `truncate` reads its beginning. Has no effect on tables."""
    alpha: float = ALPHA
    """Level at or below which a p-value, after Holm, counts as beyond chance."""
    seed: int = SEED
    """Of the random labellings: 0 to 2³¹ − 1."""
    multiverse: bool = False
    """Also test every claim under every combination of method choices (the method study); errors
    are labelled as such. Needs a model."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    """How texts are read through the dictionaries."""
    measures: MeasureConfig = field(default_factory=MeasureConfig)
    """What is measured."""
    chance: ChanceConfig = field(default_factory=ChanceConfig)
    """How it is compared with chance."""

    def __post_init__(self) -> None:
        check_choice("long", self.long, get_args(Long))
        check_probability("alpha", self.alpha)
        check_whole("seed", self.seed, 0, 2**31 - 1)
        check_flag("multiverse", self.multiverse)
        if self.multiverse and self.long == "split":
            raise UserError(
                "the method study pads every text to the longest of its batch: expected --long "
                "error or truncate, got split"
            )

    @classmethod
    def of(cls, **options: Any) -> ProfileConfig:
        """A config with some fields, of any of its stages, set by flat keywords.

        Raises UserError for a keyword that no stage has, and for a value that its stage refuses.

        >>> ProfileConfig.of(permutations=999, pooling="mean").reading.pooling
        'mean'
        """
        return configured(cls(), options, "a profile")


def check_threshold(threshold: Any) -> None:
    """Raises UserError for a τ that no activation can be compared with."""
    if isinstance(threshold, bool) or not isinstance(threshold, Real):
        raise UserError(f"threshold {threshold!r}: expected a number >= 0")
    if not isfinite(threshold) or float(threshold) < 0:
        raise UserError(f"the threshold is {threshold}: expected a finite number >= 0")
