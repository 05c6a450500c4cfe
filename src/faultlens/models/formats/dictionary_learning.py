"""dictionary_learning's files: `ae.pt` (pickled) beside `config.json`, which names the class.

Every class of the library but three takes the decoder's bias off the input. `AutoEncoder` is
brought to unit decoder norms as it loads, so that its activations carry the norm. BatchTopK's one
threshold decides; where it was never set (−1), every positive value passes. A factor of the input
is in the weights already when they are saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faultlens.errors import UserError
from faultlens.models.formats.saved import (
    SavedDictionary,
    Weights,
    config_of,
    read_pickle,
    renamed,
    whole,
)
from faultlens.models.sae_config import read_json
from faultlens.models.sites import Site

WEIGHTS, CONFIG = "ae.pt", "config.json"
_LINEAR = {"encoder.weight": "W_enc.T", "encoder.bias": "b_enc", "decoder.weight": "W_dec.T"}
_PLAIN = {name: name for name in ("W_enc", "b_enc", "W_dec", "b_dec")}
CLASSES: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "AutoEncoder": ("standard", {**_LINEAR, "bias": "b_dec"},
                    {"activation": "relu", "b_dec_taken_off": True,
                     "decoder_norm_in_activations": True}),
    "AutoEncoderNew": ("standard", {**_LINEAR, "decoder.bias": "b_dec"}, {"activation": "relu"}),
    "GatedAutoEncoder": ("gated", {"encoder.weight": "W_enc.T", "gate_bias": "b_gate",
                                   "mag_bias": "b_mag", "r_mag": "r_mag",
                                   "decoder.weight": "W_dec.T", "decoder_bias": "b_dec"},
                         {"activation": "gated", "b_dec_taken_off": True}),
    "JumpReluAutoEncoder": ("jumprelu", {**_PLAIN, "threshold": "threshold"},
                            {"activation": "jumprelu"}),
    "AutoEncoderTopK": ("topk", {**_LINEAR, "b_dec": "b_dec"},
                        {"activation": "topk", "b_dec_taken_off": True}),
    "BatchTopKSAE": ("jumprelu", {**_LINEAR, "b_dec": "b_dec", "threshold": "threshold"},
                     {"activation": "jumprelu", "b_dec_taken_off": True}),
    "MatryoshkaBatchTopKSAE": ("jumprelu", {**_PLAIN, "threshold": "threshold"},
                               {"activation": "jumprelu", "b_dec_taken_off": True}),
}  # fmt: skip
"""By class of the library: architecture, tensors' names, and what differs from the plain form."""
_POINTS = {"resid": "resid_post", "attn": "attn_out", "mlp": "mlp_out"}


def find(folder: Path) -> SavedDictionary | None:
    """The dictionary in a folder, if it is of this format."""
    weights, config = folder / WEIGHTS, folder / CONFIG
    if not weights.is_file() or not config.is_file():
        return None
    trainer = read_json(config).get("trainer")
    if not isinstance(trainer, Mapping):
        raise UserError(f"{config} has no 'trainer': expected what dictionary_learning writes")
    name = trainer.get("dict_class")
    if name not in CLASSES:
        raise UserError(f"{config}: dict_class = {name!r}, expected one of {', '.join(CLASSES)}")
    site = _site(config, trainer)
    return SavedDictionary(
        "dictionary_learning", (weights, config), site, True,
        lambda device: _read(weights, config, trainer, site, device),
    )  # fmt: skip


def _site(config: Path, trainer: Mapping[str, Any]) -> Site:
    """The output of the layer, or of the sublayer that `submodule_name` names."""
    layer = trainer.get("layer")
    if not isinstance(layer, int) or isinstance(layer, bool) or layer < 0:
        raise UserError(f"{config}: layer = {layer!r}, expected a layer's number, from 0")
    name = str(trainer.get("submodule_name") or "resid")
    point = next((point for word, point in _POINTS.items() if word in name.lower()), None)
    if point is None:
        raise UserError(f"{config}: submodule_name = {name!r}, expected resid, attn or mlp in it")
    return Site(layer, point)


def _read(
    path: Path, config: Path, trainer: Mapping[str, Any], site: Site, device: torch.device
) -> Weights:
    architecture, names, more = CLASSES[str(trainer["dict_class"])]
    tensors = renamed(path, read_pickle(path, device), names)
    if architecture == "topk":
        more = {**more, "k": whole(config, trainer, "k")}
    if "threshold" in tensors:
        tensors["threshold"] = _for_every_feature(tensors["threshold"], tensors["W_enc"])
    return Weights(config_of(config, architecture, site, **more), tensors)


def _for_every_feature(threshold: Tensor, W_enc: Tensor) -> Tensor:
    return threshold.expand(W_enc.shape[1]).contiguous() if threshold.ndim == 0 else threshold
