"""Opening a lens: the model and the dictionaries that a config names."""

from __future__ import annotations

from dataclasses import replace

from faultlens.features.known_fit import KnownFits
from faultlens.features.lens import Lens
from faultlens.features.token_choice import TokenChoice
from faultlens.models.convention import behind, put_in_force
from faultlens.models.dictionaries import load_dictionaries
from faultlens.models.lens_config import LensConfig
from faultlens.models.load import load_configured
from faultlens.models.whole_sites import whole_sites


def open_configured(config: LensConfig, light: bool = False) -> Lens:
    """The lens that a config names, its dictionaries not checked against the model.

    Args:
        config: which model and dictionaries, and how.
        light: for reading a text or two: start sooner where that can be (see `load_model`).

    Raises:
        UserError: no such model or dictionaries, or they do not go together.
    """
    loaded = load_configured(config, light)
    loaded = replace(loaded, split_special_tokens=config.special_tokens == "text")
    choice = TokenChoice("keep" if config.special_tokens == "keep" else "drop", config.massive)
    if not config.has_dictionaries:
        return Lens(
            loaded, (), choice=choice, sites=whole_sites(loaded, config.layers, config.sites)
        )
    dictionaries = load_dictionaries(
        LensConfig.model if config.sae is None else config.sae,
        loaded,
        config.layers,
        None if config.sites is None else list(config.sites),
        config.release,
        config.trust_pickle,
    )
    found = [behind(put_in_force(d, config.convention), config.start) for d in dictionaries]
    known = KnownFits()
    if replace(config, layers=None, sites=None, threads=None) == LensConfig():
        known = KnownFits.bundled(loaded, found)
    return Lens(loaded, tuple(found), choice=choice, known=known)
