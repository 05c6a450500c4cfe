"""Find and load dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faultlens.errors import UserError
from faultlens.mini import SAES
from faultlens.models.dictionary import Dictionary
from faultlens.models.load import BUNDLED
from faultlens.models.model import Model
from faultlens.models.sae_folder import load_sae_folder, sae_folders, site_of


def load_dictionaries(
    name: str,
    model: Model,
    layers: Sequence[int] | None = None,
    sites: Sequence[str] | None = None,
) -> list[Dictionary]:
    """Load a set of dictionaries that fits `model`, in the order of the forward pass.

    Args:
        name: `"mini"`, or a folder in SAELens's format (one SAE, or one folder down several).
        layers: keep those at these layers; None keeps all.
        sites: keep those at these points, e.g. `["resid_pre"]`, or `["all"]`; None keeps
            `resid_pre` where the set has any, otherwise all.
    """
    folder = SAES if name == BUNDLED else Path(name)
    if not folder.is_dir():
        raise UserError(
            f"no dictionaries called {name!r}: expected {BUNDLED!r} or a folder in SAELens's format"
        )
    found = {path: site_of(path) for path in sae_folders(folder)}
    wanted = _chosen(name, found, layers, sites)
    dictionaries = [load_sae_folder(path, folder.name, model.device) for path in wanted]
    for dictionary in dictionaries:
        model.check(dictionary.site)
        if dictionary.d_in != model.d_model:
            raise UserError(
                f"dictionary {dictionary.source} reads {dictionary.d_in} dimensions, but model "
                f"{model.name} has {model.d_model} at {dictionary.site.name}"
            )
    return dictionaries


def _chosen(
    name: str, found: dict[Path, Any], layers: Sequence[int] | None, sites: Sequence[str] | None
) -> list[Path]:
    points = {site.point for site in found.values()}
    if sites == ["all"]:
        sites = sorted(points)
    elif sites is None:
        sites = ["resid_pre"] if "resid_pre" in points else sorted(points)
    for point in sites:
        if point not in points:
            raise UserError(
                f"dictionaries {name!r} have no site {point!r}: expected one of "
                f"{', '.join(sorted(points))}"
            )
    at_points = [path for path, site in found.items() if site.point in sites]
    have = sorted({found[path].layer for path in at_points})
    for layer in layers or ():
        if layer not in have:
            raise UserError(
                f"dictionaries {name!r} have no layer {layer} at {', '.join(sites)}: expected one "
                f"of {', '.join(map(str, have))}"
            )
    chosen = [path for path in at_points if layers is None or found[path].layer in layers]
    return sorted(chosen, key=lambda path: found[path].depth)
