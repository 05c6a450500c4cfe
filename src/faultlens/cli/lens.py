"""The lens that a command's options name, with the fit check that every run starts with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from faultlens.cli import options as o
from faultlens.progress import Progress

if TYPE_CHECKING:
    from faultlens.features.lens import Lens


def load_lens(options: Mapping[str, Any]) -> Lens:
    """The lens that a command's parameters name, unchecked."""
    import faultlens as fl

    return fl.load(
        options["model"],
        options["sae"],
        o.parse_layers(options.get("layers")),
        o.parse_sites(options["sites"]),
        device=options["device"],
        dtype=options["dtype"],
        revision=options["revision"],
        release=options["release"],
        convention=o.parse_words(options["convention"]),
        trust_pickle=options["trust_pickle"],
    )


def open_lens(options: Mapping[str, Any], progress: Progress) -> Lens:
    """The same, its dictionaries found to fit the model, unless `--no-fit-check` was given.

    Raises UserError if one does not fit.
    """
    lens = load_lens(options)
    return lens.checked(progress) if options["fit_check"] else lens.unchecked()
