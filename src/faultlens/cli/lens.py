"""The lens that a command's options name, with the fit check that every run starts with."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from faultlens.features.reading_config import ReadingConfig
from faultlens.importing import uncollected
from faultlens.models.lens_config import NO_ADAPTER, LensConfig
from faultlens.progress import Progress

if TYPE_CHECKING:
    from faultlens.features.lens import Lens
    from faultlens.models.model import Model


@dataclass(frozen=True)
class FitCheckOption:
    """The fit check."""

    fit_check: bool = ReadingConfig.fit_check
    """Check first that the dictionaries fit the model."""


def load_lens(
    config: LensConfig, progress: Progress, needs_dictionaries: bool = True, light: bool = False
) -> Lens:
    """The model and the dictionaries that the options name, unchecked.

    Args:
        config: what the options say.
        progress: told of the stages, the first before anything large is imported.
        needs_dictionaries: whether the command can do without any.
        light: for reading a text or two: start sooner where that can be (see `load_model`).

    Raises UserError, before anything is loaded, where there are none and some are needed.
    """
    import faultlens as fl

    if needs_dictionaries:
        config.require_dictionaries()

    _import_torch(progress)
    loaded = progress.start(loading(config), 1)
    lens = _opened_lightly(config) if light else fl.load(config=config)
    loaded(1)
    return lens


def _import_torch(progress: Progress) -> None:
    """Import what takes seconds as a stage of its own, so that something is seen at once."""
    if "torch" in sys.modules:
        return
    imported = progress.start("Loading PyTorch", 1)
    with uncollected():
        import faultlens.features.lens  # noqa: F401  (with all that a lens needs)
    imported(1)


def _opened_lightly(config: LensConfig) -> Lens:
    with uncollected():
        from faultlens.features.opening import open_configured

        return open_configured(config, light=True)


def loading(config: LensConfig) -> str:
    """The name of the stage in which a model is loaded, with the memory that its weights take."""
    from faultlens.models.device_memory import in_words
    from faultlens.models.load import memory_needed

    needed = memory_needed(config)
    return "Loading the model" if needed is None else f"Loading the model ({in_words(needed)})"


def load_base(config: LensConfig, progress: Progress) -> Model:
    """The model that the options name, without its adapter."""
    from faultlens.models.load import load_configured

    loaded = progress.start("Loading the base", 1)
    model = load_configured(replace(config, adapter=NO_ADAPTER))
    loaded(1)
    return replace(model, split_special_tokens=config.special_tokens == "text")


def fit_checked(lens: Lens, wanted: bool, progress: Progress) -> Lens:
    """The lens, its dictionaries found to fit the model, unless the check is not wanted.

    Raises UserError if one does not fit.
    """
    return lens.checked(progress) if wanted else lens.unchecked()


def open_lens(
    config: LensConfig, fit_check: bool, progress: Progress, needs_dictionaries: bool = True
) -> Lens:
    """Load, then check the fit."""
    return fit_checked(load_lens(config, progress, needs_dictionaries), fit_check, progress)
