"""Qwen-Scope's files: `layerN.sae.pt` (pickled), one a layer; the folder's name tells k.

`W_enc` is `[features, d]` and `W_dec` `[d, features]`; the `k` largest of each token fire, by the
repository's name (`SAE-Res-Qwen3-1.7B-Base-W32K-L0_50`: 50). The decoder's bias is not taken off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch

from faultlens.errors import UserError
from faultlens.models.formats.saved import (
    SavedDictionary,
    Weights,
    config_of,
    read_pickle,
    renamed,
)
from faultlens.models.sites import Site

_FILE = re.compile(r"layer(\d+)\.sae\.pt")
_K = re.compile(r"L0_(\d+)(?!.*L0_\d)")


def find_all(folder: Path) -> Iterator[SavedDictionary]:
    """The dictionaries in a folder, by layer."""
    files = [(int(m[1]), path) for path in folder.iterdir() if (m := _FILE.fullmatch(path.name))]
    for layer, path in sorted(files):
        site = Site(layer, "resid_post")
        yield SavedDictionary("Qwen-Scope", (path,), site, True, partial(_read, path, site))


def _read(path: Path, site: Site, device: torch.device) -> Weights:
    match = _K.search(str(path.absolute()))
    if match is None:
        raise UserError(
            f"{path} does not say how many features fire at a token: keep it in a folder named as "
            "its repository, e.g. SAE-Res-Qwen3-1.7B-Base-W32K-L0_50"
        )
    names = {"W_enc": "W_enc.T", "W_dec": "W_dec.T", "b_enc": "b_enc", "b_dec": "b_dec"}
    tensors = renamed(path, read_pickle(path, device), names)
    config = config_of(path, "topk", site, activation="topk", k=int(match[1]))
    return Weights(config, tensors)
