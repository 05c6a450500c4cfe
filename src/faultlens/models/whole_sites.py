"""Whole sites: where a model's values are read and patched as they are, without a dictionary."""

from __future__ import annotations

from collections.abc import Sequence

from faultlens.models.lens_config import ALL
from faultlens.models.model import Model
from faultlens.models.sites import POINTS, Site

DEFAULT_POINT = "resid_pre"


def whole_sites(
    model: Model, layers: Sequence[int] | None = None, points: Sequence[str] | None = None
) -> tuple[Site, ...]:
    """The sites of some layers at some points, in the order of the forward pass.

    Args:
        model: that is read.
        layers: counted from 0; None: all.
        points: keys of `POINTS`, or `["all"]`: those that the model has; None: `resid_pre`.

    Raises:
        UserError: the model has no such site.
    """
    chosen = [DEFAULT_POINT] if points is None else list(points)
    numbers = range(model.n_layers) if layers is None else sorted(set(layers))
    if chosen == [ALL]:
        chosen = [p for p in POINTS if model.has(Site(0, p))]
    sites = {Site(layer, point) for layer in numbers for point in chosen}
    for site in sites:
        model.check(site)
    return tuple(sorted(sites, key=lambda site: site.depth))
