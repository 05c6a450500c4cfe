"""Gemma Scope's files: `params.npz`; of Gemma Scope 2 `params.safetensors` and `config.json`.

JumpReLU throughout; the decoder's bias is not taken off the input. The first names neither model
nor site in its files, so that the folders have to, as they do on the hub
(`gemma-scope-2b-pt-res/layer_20/…`); its transcoders read the MLP's norm before the gain. The
second names the modules, and its transcoders read the norm with its gain.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from faultlens.errors import UserError
from faultlens.models.formats.saved import SavedDictionary, Weights, config_of, layer_in, renamed
from faultlens.models.sae_config import read_json
from faultlens.models.sae_folder import read_tensors
from faultlens.models.sites import Site

FIRST, SECOND, CONFIG = "params.npz", "params.safetensors", "config.json"
_RELEASE = re.compile(r"-(res|att|mlp|transcoders)(?:-|$)")
_POINTS = {"res": "resid_post", "att": "z", "mlp": "mlp_out", "transcoders": "mlp_normalized"}
_MODULES = {
    "output": "resid_post",
    "self_attn.o_proj.input": "z",
    "post_feedforward_layernorm.output": "mlp_out",
    "pre_feedforward_layernorm.output": "mlp_in",
}
_HOOK = re.compile(r"(?:.*\.)?layers\.(\d+)\.(.+)")


def find(folder: Path) -> SavedDictionary | None:
    """The dictionary in a folder, if it is of either format."""
    first, second, config = folder / FIRST, folder / SECOND, folder / CONFIG
    if first.is_file():
        site = _site_by_folders(first)
        return SavedDictionary(
            "Gemma Scope", (first,), site, False, lambda device: _read_first(first, site, device)
        )
    if not second.is_file() or not config.is_file():
        return None
    fields = read_json(config)
    if fields.get("architecture") != "jump_relu":
        raise UserError(
            f"{config}: architecture = {fields.get('architecture')!r}, expected 'jump_relu'"
        )
    site = _site_by_hook(config, fields, "hf_hook_point_in")
    return SavedDictionary(
        "Gemma Scope 2", (second, config), site, False,
        lambda device: _read_second(second, config, fields, site, device),
    )  # fmt: skip


def _site_by_folders(path: Path) -> Site:
    names = path.parent.absolute().parts
    kinds = [match[1] for name in names if (match := _RELEASE.search(name))]
    if not kinds:
        raise UserError(
            f"{path} does not say what it reads: keep the folders as they are on the hub, e.g. "
            "gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71"
        )
    return Site(layer_in(path, "/".join(names)), _POINTS[kinds[-1]])


def _site_by_hook(config: Path, fields: Mapping[str, Any], name: str) -> Site:
    hook = str(fields.get(name))
    match = _HOOK.fullmatch(hook)
    if match is None or match[2] not in _MODULES:
        known = ", ".join(f"model.layers.N.{module}" for module in _MODULES)
        raise UserError(f"{config}: {name} = {hook!r}, expected one of {known}")
    return Site(int(match[1]), _MODULES[match[2]])


def _read_first(path: Path, site: Site, device: torch.device) -> Weights:
    try:
        with np.load(path, allow_pickle=False) as file:
            raw = {name: torch.from_numpy(file[name]).to(device, torch.float32) for name in file}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read as .npz: {error}") from error
    named = {re.sub("^w_", "W_", name): value for name, value in raw.items()}
    own = ("W_enc", "b_enc", "W_dec", "b_dec", "threshold")
    tensors = renamed(path, named, {name: name for name in own})
    transcodes = site.point == "mlp_normalized"
    return _jumprelu(path, site, Site(site.layer, "mlp_out") if transcodes else None, tensors)


def _read_second(
    path: Path, config: Path, fields: Mapping[str, Any], site: Site, device: torch.device
) -> Weights:
    raw = read_tensors(path, device)
    names = {"w_enc": "W_enc", "b_enc": "b_enc", "w_dec": "W_dec", "b_dec": "b_dec",
             "threshold": "threshold"}  # fmt: skip
    if fields.get("affine_connection"):
        names["affine_skip_connection"] = "W_skip.T"
    tensors = renamed(path, raw, names)
    if tensors["W_dec"].ndim != 2:
        raise UserError(f"{path} writes to several layers: cross-layer transcoders are not read")
    transcodes = fields.get("hf_hook_point_out") not in (None, fields.get("hf_hook_point_in"))
    site_out = _site_by_hook(config, fields, "hf_hook_point_out") if transcodes else None
    return _jumprelu(config, site, site_out, tensors)


def _jumprelu(
    where: Path, site: Site, site_out: Site | None, tensors: dict[str, Tensor]
) -> Weights:
    architecture = "jumprelu"
    if site_out is not None:
        skips = "W_skip" in tensors
        architecture = "jumprelu_skip_transcoder" if skips else "jumprelu_transcoder"
    config = config_of(where, architecture, site, site_out=site_out, activation="jumprelu")
    return Weights(config, tensors)
