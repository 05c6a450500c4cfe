"""Read a dictionary from a local folder in SAELens's format, without importing SAELens.

A folder holds `cfg.json` and `sae_weights.safetensors`; a set of dictionaries is a folder of such
folders. Conventions that change the numbers are folded here or refused; none is ignored.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from faultlens.errors import UserError
from faultlens.models.dictionary import Activation, Convention, Dictionary, JumpRelu, Relu, TopK
from faultlens.models.sites import Site

CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"
ARCHITECTURES = ("standard", "jumprelu", "topk")
TENSORS = ("W_enc", "b_enc", "W_dec", "b_dec")


def sae_folders(folder: Path) -> list[Path]:
    """The SAE folders in `folder`, or `folder` itself if it is one. UserError if there are none."""
    if (folder / CONFIG).is_file():
        return [folder]
    found = sorted(path.parent for path in folder.glob(f"*/{CONFIG}"))
    if not found:
        raise UserError(
            f"no dictionaries in {folder}: expected {CONFIG} and {WEIGHTS} there or one folder down"
        )
    return found


def read_config(folder: Path) -> dict[str, Any]:
    """`cfg.json` as a dictionary, checked to be one."""
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(config, dict):
        raise UserError(f"{path} holds {type(config).__name__}, expected an object")
    return config


def site_of(folder: Path) -> Site:
    """The site a dictionary was trained at, from its configuration alone."""
    config = read_config(folder)
    hook = _metadata(config).get("hook_name") or config.get("hook_name")
    if not isinstance(hook, str):
        raise UserError(f"{folder / CONFIG} names no site: expected metadata.hook_name")
    return Site.parse(hook)


def load_sae_folder(folder: Path, set_name: str, device: torch.device) -> Dictionary:
    """One dictionary, in float32 on `device`; its name is `{site.short}-{set_name}`."""
    config = read_config(folder)
    site = site_of(folder)
    tensors = _tensors(folder, device)
    _refuse_unsupported(folder, config, tensors)
    W_enc, b_enc, W_dec, b_dec = (tensors[name] for name in TENSORS)
    activation = _activation(folder, config, tensors)
    if config.get("rescale_acts_by_decoder_norm"):
        # Activations carry the decoder's norm, and decoding divides by it: fold it both ways.
        norm = W_dec.norm(dim=1)
        W_enc, b_enc, W_dec = W_enc * norm, b_enc * norm, W_dec / norm[:, None]
    if config["apply_b_dec_to_input"]:
        b_enc = b_enc - b_dec @ W_enc
    metadata = _metadata(config)
    return Dictionary(
        name=f"{site.short}-{set_name}",
        site=site,
        activation=activation,
        W_enc=W_enc.contiguous(),
        b_enc=b_enc.contiguous(),
        W_dec=W_dec.contiguous(),
        b_dec=b_dec.contiguous(),
        convention=Convention(
            prepend_bos=bool(metadata.get("prepend_bos", config.get("prepend_bos", True))),
            centred=bool(
                (metadata.get("model_from_pretrained_kwargs") or {}).get("center_writing_weights")
            ),
        ),
        source=str(folder),
        digest=_digest(folder),
    )


def _metadata(config: dict[str, Any]) -> dict[str, Any]:
    metadata = config.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _digest(folder: Path) -> str:
    """SHA-256 over the configuration and the weights: either changes the numbers."""
    digest = hashlib.sha256((folder / CONFIG).read_bytes())
    digest.update((folder / WEIGHTS).read_bytes())
    return digest.hexdigest()


def _refuse_unsupported(folder: Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Raises UserError for every setting that changes the numbers and is not honoured here."""
    accepted: dict[str, tuple[Any, ...]] = {
        "normalize_activations": ("none", None),
        "reshape_activations": ("none", None),
        "activation_fn": ("relu", "topk", None),
        "activation_fn_str": ("relu", None),
        "finetuning_scaling_factor": (False, None),
        "hook_head_index": (None,),
    }
    for field, values in accepted.items():
        value = config.get(field, _metadata(config).get(field))
        if value not in values:
            raise UserError(
                f"{folder / CONFIG}: {field} = {value!r} is not supported yet, expected "
                f"{values[0]!r}"
            )
    if not isinstance(config.get("apply_b_dec_to_input"), bool):
        raise UserError(
            f"{folder / CONFIG} does not say apply_b_dec_to_input: expected true or false (files "
            "from before SAELens 6 leave it out; load them in SAELens and save them again)"
        )
    unknown = sorted(set(tensors) - {*TENSORS, "threshold"})
    if unknown:
        raise UserError(f"{folder / WEIGHTS} has a tensor {unknown[0]!r} that is not supported yet")


def _tensors(folder: Path, device: torch.device) -> dict[str, Tensor]:
    path = folder / WEIGHTS
    try:
        raw = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read as safetensors: {error}") from error
    missing = [name for name in TENSORS if name not in raw]
    if missing:
        raise UserError(f"{path} has no tensor {missing[0]!r}: expected {', '.join(TENSORS)}")
    tensors = {name: tensor.to(device, torch.float32) for name, tensor in raw.items()}
    if tensors["W_enc"].ndim != 2:
        shape = tuple(tensors["W_enc"].shape)
        raise UserError(f"{path}: W_enc has shape {shape}, expected [d_in, d_sae]")
    d_in, d_sae = tensors["W_enc"].shape
    shapes = {"b_enc": (d_sae,), "W_dec": (d_sae, d_in), "b_dec": (d_in,), "threshold": (d_sae,)}
    for name, shape in shapes.items():
        if name in tensors and tuple(tensors[name].shape) != shape:
            raise UserError(
                f"{path}: {name} has shape {tuple(tensors[name].shape)}, expected {shape} to go "
                f"with W_enc {d_in, d_sae}"
            )
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise UserError(f"{path}: tensor {name!r} has values that are NaN or infinite")
    return tensors


def _activation(folder: Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> Activation:
    path = folder / CONFIG
    architecture = config.get("architecture")
    if architecture == "standard":
        return Relu()
    if architecture == "jumprelu":
        if "threshold" not in tensors:
            raise UserError(f"{folder / WEIGHTS} has no tensor 'threshold', which jumprelu needs")
        return JumpRelu(tensors["threshold"])
    if architecture == "topk":
        k, d_sae = config.get("k"), tensors["W_enc"].shape[1]
        if not isinstance(k, int) or not 0 < k <= d_sae:
            raise UserError(f"{path}: k = {k!r}, expected a whole number from 1 to {d_sae}")
        return TopK(k)
    raise UserError(
        f"{path}: architecture {architecture!r} is not supported yet, expected one of "
        f"{', '.join(ARCHITECTURES)}"
    )
