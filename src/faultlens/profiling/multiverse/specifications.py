"""Specifications: the choices of a study of this kind, and which of them are errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from faultlens.features.pooling import Pooling
from faultlens.profiling.result import Specification

POOLINGS = ("max", "mean", "sum", "last")
PERCENTILES = (99.0, 99.5, 99.9)  # of the positive values: thresholds in any unit

Threshold = tuple[float | None, float | None]
"""A percentile of the positive values, or a τ that was asked for; (None, None) for AUROC."""

EXHAUSTIVE, SHORTLIST = "exhaustive", "shortlist"
RULES = (EXHAUSTIVE, SHORTLIST)
ENCODE_FIRST, POOL_FIRST = "encode, then pool", "pool, then encode"

MEAN_THEN_ENCODE = "pooled before it was encoded: a dictionary is not linear"
UNMASKED = "padding is pooled as if it were text"


@dataclass(frozen=True)
class Way:
    """One way to read texts into a table."""

    pooling: str
    bos: bool  # position 0 is pooled
    padding: bool  # the padding up to the longest of a batch is pooled
    order: str  # ENCODE_FIRST or POOL_FIRST

    @property
    def canonical(self) -> Way:
        """The simplest way that gives the same numbers: of one token there is nothing to pool."""
        if Pooling.parse(self.pooling) != Pooling("last"):
            return self
        return Way("last", False, self.padding, ENCODE_FIRST)

    @property
    def errors(self) -> list[str]:
        """Why its numbers are not what they seem; empty for a sound way."""
        found = [MEAN_THEN_ENCODE] if self.canonical.order == POOL_FIRST else []
        return [*found, UNMASKED] if self.padding else found


def ways(pooling: str, with_bos: bool) -> list[Way]:
    """Every way to read, `pooling` among them; BOS can be pooled only where there is one."""
    poolings = POOLINGS if pooling in POOLINGS else (*POOLINGS, pooling)
    bos = (False, True) if with_bos else (False,)
    return [
        Way(*choices)
        for choices in product(poolings, bos, (False, True), (ENCODE_FIRST, POOL_FIRST))
    ]


def thresholds(given: float | None) -> list[Threshold]:
    """Every threshold of the score: the percentiles, and a τ that was asked for."""
    found: list[Threshold] = [(percentile, None) for percentile in PERCENTILES]
    return found if given is None else [*found, (None, given)]


def specifications(
    read: Sequence[Way], threshold: float | None = None
) -> dict[str, list[Specification]]:
    """Every specification of the two measures: by AUROC, and by score with threshold and rule.

    A `threshold` that was asked for is tried beside the percentiles. Ways that give the same
    numbers make one specification, so that a share counts none twice.
    """
    read = list(dict.fromkeys(way.canonical for way in read))
    by_auroc = [_specified(way, relative) for way in read for relative in (False, True)]
    by_score = [
        _specified(way, relative, cut, rule)
        for way in read
        for relative in (False, True)
        for cut in thresholds(threshold)
        for rule in RULES
    ]
    return {"selectivity": by_auroc, "specialist": by_score}


def way_of(spec: Specification) -> Way:
    """How the tables of a specification were read."""
    return Way(spec.pooling, spec.bos, spec.padding, spec.order)


def is_default(
    spec: Specification, pooling: str, percentile: float, threshold: float | None = None
) -> bool:
    """Whether this is what the study does, with the threshold asked for or else the percentile."""
    cut: Threshold = (percentile, None) if threshold is None else (None, threshold)
    return (
        way_of(spec) == Way(pooling, False, False, ENCODE_FIRST).canonical
        and not spec.relative
        and (spec.percentile, spec.threshold) in ((None, None), cut)
        and spec.rule in (None, EXHAUSTIVE)
    )


def _specified(
    way: Way, relative: bool, cut: Threshold = (None, None), rule: str | None = None
) -> Specification:
    percentile, threshold = cut
    read = way.pooling, way.bos, way.padding, way.order
    return Specification(*read, relative, percentile, rule, way.errors, threshold)
