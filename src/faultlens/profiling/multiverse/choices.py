"""What each choice does to the claims: alone, all else as by default, and on average."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from faultlens.profiling.multiverse.specifications import (
    MEAN_THEN_ENCODE,
    POOL_FIRST,
    UNMASKED,
    way_of,
)
from faultlens.profiling.multiverse.testing import BestFeatures
from faultlens.profiling.result import Choice, Specification


@dataclass(frozen=True)
class Dimension:
    """One thing that has to be chosen.

    Attributes:
        by: the measure whose claims show what the choice does.
        fields: of a specification, that hold the choice.
        words: the choice of a specification, in words.
    """

    by: str
    fields: tuple[str, ...]
    words: Callable[[Specification], str]


DIMENSIONS = {
    "pooling": Dimension("selectivity", ("pooling",), lambda spec: spec.pooling),
    "BOS": Dimension("selectivity", ("bos",), lambda spec: "pooled" if spec.bos else "left out"),
    "padding": Dimension(
        "selectivity", ("padding",), lambda spec: "pooled" if spec.padding else "masked"
    ),
    "order": Dimension("selectivity", ("order",), lambda spec: spec.order),
    "scale": Dimension(
        "selectivity",
        ("relative",),
        lambda spec: "relative to the norm" if spec.relative else "raw",
    ),
    "threshold": Dimension(
        "specialist",
        ("percentile", "threshold"),
        lambda spec: (
            f"{spec.percentile:g}th percentile" if spec.threshold is None else "as asked for"
        ),
    ),
    "rule": Dimension("specialist", ("rule",), lambda spec: str(spec.rule)),
}
"""All of them, by name."""


def choices(
    specs: Mapping[str, Sequence[Specification]],
    best: Mapping[str, Sequence[BestFeatures]],
    default: Mapping[str, int],
) -> list[Choice]:
    """Every value of every dimension; those of the default specification among them.

    Args:
        specs: by measure.
        best: the best features under each specification, in their order.
        default: the place of the default specification among each measure's.
    """
    return [
        choice
        for name, dimension in DIMENSIONS.items()
        for choice in _values_of(
            name, dimension, specs[dimension.by], best[dimension.by], default[dimension.by]
        )
    ]


def _values_of(
    name: str,
    dimension: Dimension,
    specs: Sequence[Specification],
    best: Sequence[BestFeatures],
    default: int,
) -> Iterator[Choice]:
    beyond = [float(features.beyond.any(axis=1).mean()) for features in best]
    same = [float((b.features == best[default].features).mean()) for b in best]
    held = [tuple(getattr(spec, field) for field in dimension.fields) for spec in specs]
    for value in dict.fromkeys(held):
        making = [i for i, holds in enumerate(held) if holds == value]
        alone = _distinct(
            replace(specs[default], **dict(zip(dimension.fields, value, strict=True)), errors=[])
        )
        place = next(i for i, spec in enumerate(specs) if replace(spec, errors=[]) == alone)
        yield Choice(
            name=name,
            value=dimension.words(specs[making[0]]),
            by=dimension.by,
            error=_error(name, specs[making[0]]),
            beyond_alone=beyond[place],
            same_alone=same[place],
            specifications=len(making),
            beyond_mean=float(np.mean([beyond[i] for i in making])),
            same_mean=float(np.mean([same[i] for i in making])),
        )


def _distinct(spec: Specification) -> Specification:
    """The specification that gives the same numbers and is among those tried."""
    way = way_of(spec).canonical
    return replace(spec, pooling=way.pooling, bos=way.bos, order=way.order)


def _error(name: str, spec: Specification) -> str:
    """Why the value that `spec` has in the dimension is an error; empty if it is not."""
    if name == "padding" and spec.padding:
        return UNMASKED
    return MEAN_THEN_ENCODE if name == "order" and spec.order == POOL_FIRST else ""
