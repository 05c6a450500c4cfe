"""Finding dictionaries of other libraries in a folder: whose they are is told by their files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from faultlens.models.formats import (
    dictionary_learning,
    gemma_scope,
    llamascopium,
    qwen_scope,
    sparsify,
)
from faultlens.models.formats.saved import SavedDictionary

DEEPEST = 4  # folders below the one that is named: gemma-scope-…/layer_20/width_16k/average_l0_71
READERS: Sequence[Callable[[Path], SavedDictionary | None]] = (
    dictionary_learning.find, sparsify.find, gemma_scope.find, llamascopium.find,
)  # fmt: skip
MARKS = {
    "SAELens": "cfg.json and sae_weights.safetensors",
    "dictionary_learning": "ae.pt and config.json",
    "sparsify": "cfg.json and sae.safetensors",
    "Gemma Scope": "params.npz",
    "Gemma Scope 2": "params.safetensors and config.json",
    "llamascopium": "config.json and sae_weights.safetensors",
    "Qwen-Scope": "layerN.sae.pt",
}
"""By format, the files that tell it."""


def saved_elsewhere(folder: Path) -> list[SavedDictionary]:
    """All dictionaries of other libraries in a folder and below, in the order of the forward pass.

    Empty where there are none. Raises UserError for one that says what is not supported.
    """
    found = [saved for here in _folders(folder, DEEPEST) for saved in _in(here)]
    return sorted(found, key=lambda saved: saved.site.depth)


def _in(folder: Path) -> Iterator[SavedDictionary]:
    for find in READERS:
        saved = find(folder)
        if saved is not None:
            yield saved
    yield from qwen_scope.find_all(folder)


def _folders(folder: Path, deeper: int) -> Iterator[Path]:
    yield folder
    if deeper:
        for below in sorted(path for path in folder.iterdir() if path.is_dir()):
            yield from _folders(below, deeper - 1)
