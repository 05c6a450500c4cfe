"""The lens that a command's options name, with the fit check that every run starts with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from faultlens.features.reading_config import ReadingConfig
from faultlens.models.lens_config import LensConfig
from faultlens.progress import Progress

if TYPE_CHECKING:
    from faultlens.features.lens import Lens


@dataclass(frozen=True)
class FitCheckOption:
    """The fit check."""

    fit_check: bool = ReadingConfig.fit_check
    """Check first that the dictionaries fit the model."""


def load_lens(config: LensConfig, progress: Progress) -> Lens:
    """The model and the dictionaries that the options name, unchecked."""
    import faultlens as fl

    config.require_dictionaries()
    loaded = progress.start("Loading the model", 1)
    lens = fl.load(config=config)
    loaded(1)
    return lens


def fit_checked(lens: Lens, wanted: bool, progress: Progress) -> Lens:
    """The lens, its dictionaries found to fit the model, unless the check is not wanted.

    Raises UserError if one does not fit.
    """
    return lens.checked(progress) if wanted else lens.unchecked()


def open_lens(config: LensConfig, fit_check: bool, progress: Progress) -> Lens:
    """Load, then check the fit."""
    return fit_checked(load_lens(config, progress), fit_check, progress)
