"""Specifications: the choices of a study of this kind, and which of them are errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from faultlens.features.pooling import Pooling
from faultlens.profile.result import Specification

POOLINGS = ("max", "mean", "sum", "last")
PERCENTILES = (99.0, 99.5, 99.9)  # of the positive values: thresholds in any unit
RULES = ("exhaustive", "shortlist")
ENCODE_FIRST, POOL_FIRST = "encode, then pool", "pool, then encode"

MEAN_THEN_ENCODE = "pooled before it was encoded: a dictionary is not linear"
UNMASKED = "padding is pooled as if it were text"


@dataclass(frozen=True)
class Way:
    """One way to read texts into a table."""

    pooling: str
    bos: bool  # position 0 is pooled
    padding: bool  # the padding up to the longest text is pooled
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


def specifications(read: Sequence[Way]) -> dict[str, list[Specification]]:
    """Every specification of the two measures: by AUROC, and by score with threshold and rule.

    Ways that give the same numbers make one specification, so that a share counts none twice.
    """
    read = list(dict.fromkeys(way.canonical for way in read))
    by_auroc = [_specified(way, relative) for way in read for relative in (False, True)]
    by_score = [
        _specified(way, relative, percentile, rule)
        for way in read
        for relative in (False, True)
        for percentile in PERCENTILES
        for rule in RULES
    ]
    return {"selectivity": by_auroc, "specialist": by_score}


def way_of(spec: Specification) -> Way:
    """How the tables of a specification were read."""
    return Way(spec.pooling, spec.bos, spec.padding, spec.order)


def is_default(spec: Specification, pooling: str, percentile: float) -> bool:
    """Whether this is what the study does unless told otherwise."""
    return (
        way_of(spec) == Way(pooling, False, False, ENCODE_FIRST).canonical
        and not spec.relative
        and spec.percentile in (None, percentile)
        and spec.rule in (None, "exhaustive")
    )


def _specified(
    way: Way, relative: bool, percentile: float | None = None, rule: str | None = None
) -> Specification:
    return Specification(
        way.pooling, way.bos, way.padding, way.order, relative, percentile, rule, way.errors
    )
