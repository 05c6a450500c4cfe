"""llamascopium's files (Llama Scope's library): `config.json` and `sae_weights.safetensors`.

`norm_activation`: `dataset-wise` multiplies the input by √d over its average norm, which lies among
the tensors; `token-wise` brings each token to √d; `inference` does nothing. A transcoder's output
has a factor of its own. `sparsity_include_decoder_norm`: the decoder's norm decides what fires, but
is no part of the activation. The decoder's bias is not taken off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faultlens.errors import UserError
from faultlens.models.formats.saved import SavedDictionary, Weights, config_of, renamed, whole
from faultlens.models.sae_config import read_json
from faultlens.models.sae_folder import read_tensors
from faultlens.models.sites import Site

WEIGHTS, CONFIG = "sae_weights.safetensors", "config.json"
AVERAGE = "dataset_average_activation_norm."
THRESHOLD = "activation_function.log_jumprelu_threshold"
_NORMALISATION = {"inference": "none", "token-wise": "constant_norm_rescale",
                  "dataset-wise": "expected_average_only_in"}  # fmt: skip
_NAMES = {"W_E": "W_enc", "b_E": "b_enc", "W_D": "W_dec"}


def find(folder: Path) -> SavedDictionary | None:
    """The dictionary in a folder, if it is of this format."""
    weights, config = folder / WEIGHTS, folder / CONFIG
    if not weights.is_file() or not config.is_file() or (folder / "cfg.json").is_file():
        return None
    fields = read_json(config)
    if fields.get("sae_type") != "sae":
        raise UserError(
            f"{config}: sae_type = {fields.get('sae_type')!r}, expected 'sae': of llamascopium's "
            "dictionaries only SAEs and transcoders of one layer are read"
        )
    site = Site.parse(str(fields.get("hook_point_in")))
    return SavedDictionary(
        "llamascopium", (weights, config), site, False,
        lambda device: _read(weights, config, fields, site, device),
    )  # fmt: skip


def _read(
    path: Path, config: Path, fields: Mapping[str, Any], site: Site, device: torch.device
) -> Weights:
    activation = _checked(config, fields)
    raw = read_tensors(path, device)
    tensors = renamed(path, raw, {**_NAMES, **({"b_D": "b_dec"} if "b_D" in raw else {})})
    tensors.setdefault("b_dec", tensors["W_dec"].new_zeros(tensors["W_dec"].shape[1]))
    if activation == "jumprelu":
        tensors["threshold"] = renamed(path, raw, {THRESHOLD: "t"})["t"].exp()
    gates = bool(fields.get("sparsity_include_decoder_norm", True)) and activation != "relu"
    norm = tensors["W_dec"].norm(dim=1) if gates else None  # before any factor is put into it
    out = Site.parse(str(fields.get("hook_point_out")))
    normalisation, factor = _NORMALISATION[str(fields["norm_activation"])], None
    if normalisation == "expected_average_only_in":
        factor = _factor(path, raw, site, tensors)
    if out != site:
        if normalisation == "constant_norm_rescale":
            raise UserError(f"{config}: a transcoder with norm_activation 'token-wise' is not read")
        if factor is not None:
            _fold_both(tensors, factor, _factor(path, raw, out, tensors))
        normalisation, factor = "none", None
    architecture = activation if out == site else f"{activation}_transcoder"
    own = config_of(
        config, "standard" if architecture == "relu" else architecture, site,
        site_out=None if out == site else out, activation=activation,
        normalisation=normalisation, k=fields.get("top_k") if activation == "topk" else None,
    )  # fmt: skip
    return Weights(own, tensors, factor, norm)


def _checked(config: Path, fields: Mapping[str, Any]) -> str:
    """The activation function. Raises UserError for what cannot be read token by token."""
    if fields.get("use_glu_encoder"):
        raise UserError(f"{config}: use_glu_encoder is set, which is not read")
    if fields.get("norm_activation") not in _NORMALISATION:
        raise UserError(
            f"{config}: norm_activation = {fields.get('norm_activation')!r}, expected one of "
            f"{', '.join(_NORMALISATION)}"
        )
    activation = str(fields.get("act_fn"))
    if activation not in ("relu", "jumprelu", "topk"):
        raise UserError(
            f"{config}: act_fn = {activation!r}, expected relu, jumprelu or topk: here each token "
            "is encoded by itself"
        )
    if activation == "topk":
        whole(config, fields, "top_k")
    return activation


def _factor(
    path: Path, raw: Mapping[str, Tensor], site: Site, tensors: Mapping[str, Tensor]
) -> float:
    """√d over the average norm at a site, by which its values are multiplied."""
    average = renamed(path, raw, {AVERAGE + site.name: "norm"})["norm"]
    d = tensors["W_enc"].shape[0]
    return math.sqrt(d) / float(average)


def _fold_both(tensors: dict[str, Tensor], of_input: float, of_output: float) -> None:
    """A transcoder's factors, of what it reads and of what it rebuilds, put into its tensors."""
    tensors["W_enc"] = tensors["W_enc"] * of_input
    tensors["W_dec"], tensors["b_dec"] = tensors["W_dec"] / of_output, tensors["b_dec"] / of_output
