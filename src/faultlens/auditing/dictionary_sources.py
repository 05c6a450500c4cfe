"""Where dictionaries for a model can be had: the registry's releases, or a training run."""

from __future__ import annotations

import shlex

from faultlens.auditing.activations.site_values import spread
from faultlens.auditing.result import KnownRelease, NoDictionaries
from faultlens.features.lens import Lens
from faultlens.mini import SAES
from faultlens.models.load import BUNDLED
from faultlens.models.model import Model
from faultlens.models.registry import releases_for
from faultlens.models.sae_folder import sae_folders, site_of


def no_dictionaries(lens: Lens) -> NoDictionaries | None:
    """What a lens without dictionaries reads, and how to get some; None for one that has them."""
    if lens.dictionaries:
        return None
    read = spread(lens.sites)
    found = []
    if lens.model.is_mini:
        own = [site_of(folder) for folder in sae_folders(SAES)]
        found.append(KnownRelease(BUNDLED, len(own), sorted({site.layer for site in own})))
    for name, entries in releases_for(lens.model.published_names).items():
        layers = sorted({entry.layer for entry in entries if entry.layer is not None})
        found.append(KnownRelease(name, len(entries), layers))
    found.sort(key=lambda release: -len(release.layers))
    return NoDictionaries(
        patched=[site.name for site in lens.sites],
        ladder=[site.name for site in read],
        releases=found,
        train=_train_command(
            lens.model,
            sorted({site.layer for site in read}),
            list(dict.fromkeys(site.point for site in read)),
        ),
    )


def _train_command(model: Model, layers: list[int], points: list[str]) -> str:
    """The command line that trains dictionaries at some sites of a model."""
    adapter = [] if model.tuning is None else ["--adapter", model.tuning]
    words = [
        "faultlens", "train", "TEXTS", "--model", model.name, *adapter,
        "--layers", ",".join(map(str, layers)), "--sites", ",".join(points), "--out", "FOLDER",
    ]  # fmt: skip
    return shlex.join(words)
