"""sparsify's files: `<hookpoint>/cfg.json` and `sae.safetensors`; the folder names the module.

`W_dec` is `[latents, d]`. An SAE takes the decoder's bias off its input, a transcoder does not. The
latents are the `k` largest after ReLU. `skip_connection` adds a linear path from the input.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from faultlens.errors import UserError
from faultlens.models.formats.saved import (
    SavedDictionary,
    Weights,
    config_of,
    layer_in,
    renamed,
    whole,
)
from faultlens.models.sae_config import read_json
from faultlens.models.sae_folder import read_tensors
from faultlens.models.sites import Site

WEIGHTS, CONFIG = "sae.safetensors", "cfg.json"
_MODULE = re.compile(r"(?:^|\.)(?:layers|h)\.\d+(?:\.(\w+))?$")
_SUBLAYERS = {
    None: "resid_post", "mlp": "mlp_out", "attn": "attn_out", "self_attn": "attn_out",
    "attention": "attn_out",
}  # fmt: skip


def find(folder: Path) -> SavedDictionary | None:
    """The dictionary in a folder, if it is of this format."""
    weights, config = folder / WEIGHTS, folder / CONFIG
    if not weights.is_file() or not config.is_file():
        return None
    fields = read_json(config)
    site, site_out = _sites(folder, bool(fields.get("transcode")))
    return SavedDictionary(
        "sparsify", (weights, config), site, False,
        lambda device: _read(weights, config, fields, site, site_out, device),
    )  # fmt: skip


def _sites(folder: Path, transcodes: bool) -> tuple[Site, Site | None]:
    """What the module that the folder is named after reads and gives."""
    name = folder.name
    match = _MODULE.search(name)
    sublayer = match[1] if match else None
    if match is None or sublayer not in _SUBLAYERS:
        raise UserError(
            f"{folder} is named after no module that is known: expected layers.N or h.N, or of "
            f"these {', '.join(word for word in _SUBLAYERS if word)}"
        )
    layer = layer_in(folder, name)
    site = Site(layer, _SUBLAYERS[sublayer])
    if not transcodes:
        return site, None
    if sublayer != "mlp":
        raise UserError(f"{folder} is a transcoder of {name}: only those of an MLP are read")
    return Site(layer, "mlp_in"), site


def _read(
    path: Path,
    config: Path,
    fields: Mapping[str, Any],
    site: Site,
    site_out: Site | None,
    device: torch.device,
) -> Weights:
    for name, expected in (("activation", "topk"), ("signed", False)):
        if fields.get(name, expected) != expected:
            raise UserError(f"{config}: {name} = {fields[name]!r}, expected {expected!r}")
    names = {"encoder.weight": "W_enc.T", "encoder.bias": "b_enc", "W_dec": "W_dec",
             "b_dec": "b_dec"}  # fmt: skip
    architecture = "topk"
    if site_out is not None:
        architecture = "skip_transcoder" if fields.get("skip_connection") else "transcoder"
    if fields.get("skip_connection"):
        if site_out is None:
            raise UserError(f"{config}: skip_connection goes with transcode, which is not set")
        names["W_skip"] = "W_skip"
    tensors = renamed(path, read_tensors(path, device), names)
    return Weights(
        config_of(
            config, architecture, site, site_out=site_out, activation="topk",
            k=whole(config, fields, "k"), d_in=whole(config, fields, "d_in"),
            b_dec_taken_off=site_out is None,
        ),
        tensors,
    )  # fmt: skip
