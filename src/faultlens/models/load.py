"""Find and load a model and its dictionaries by name: `mini`, a local folder, or a hub name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from faultlens.errors import UserError
from faultlens.mini import LANGUAGE_MODEL, SAES
from faultlens.models.adapter import adapter_for
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model
from faultlens.models.sae_folder import load_sae_folder, sae_folders, site_of

BUNDLED = "mini"


def load_model(name: str, device: str = "cpu") -> Model:
    """Load the bundled model (`"mini"`), a Hugging Face folder, or a model from the hub's cache.

    Weights are read from safetensors only, and run in float32.
    Raises UserError if there is no such model, or its family has no adapter.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    folder = LANGUAGE_MODEL if name == BUNDLED else Path(name)
    source = str(folder) if folder.is_dir() else name
    try:
        config = AutoConfig.from_pretrained(source, local_files_only=True)
        adapter = adapter_for(config.model_type)
        network: Any
        network, loading = AutoModelForCausalLM.from_pretrained(
            source,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"model {name!r} cannot be loaded: expected {BUNDLED!r}, a Hugging Face model folder "
            f"with safetensors weights, or a hub name that is in the local cache ({reason})"
        ) from error
    missing = sorted(loading["missing_keys"])
    if missing:
        raise UserError(
            f"model {name!r} has no weights for {missing[0]} and {len(missing) - 1} other tensors: "
            "they would be random; fetch the model again"
        )
    if len(tokenizer) < 2:
        raise UserError(f"model {name!r} has no tokenizer: expected tokenizer.json beside it")
    network.eval().requires_grad_(False).to(device)
    digest = _folder_digest(folder) if folder.is_dir() else str(config._commit_hash)
    return Model(name, network, tokenizer, adapter, digest)


def load_dictionaries(
    name: str,
    model: Model,
    layers: Sequence[int] | None = None,
    sites: Sequence[str] | None = None,
) -> list[Dictionary]:
    """Load a set of dictionaries that fits `model`, in the order of the forward pass.

    Args:
        name: `"mini"`, or a folder in SAELens's format (one SAE, or one folder down several).
        layers: keep those at these layers; None keeps all.
        sites: keep those at these points, e.g. `["resid_pre"]`, or `["all"]`; None keeps
            `resid_pre` where the set has any, otherwise all.
    """
    folder = SAES if name == BUNDLED else Path(name)
    if not folder.is_dir():
        raise UserError(
            f"no dictionaries called {name!r}: expected {BUNDLED!r} or a folder in SAELens's format"
        )
    found = {path: site_of(path) for path in sae_folders(folder)}
    wanted = _chosen(name, found, layers, sites)
    dictionaries = [load_sae_folder(path, folder.name, model.device) for path in wanted]
    for dictionary in dictionaries:
        model.check(dictionary.site)
        if dictionary.d_in != model.d_model:
            raise UserError(
                f"dictionary {dictionary.source} reads {dictionary.d_in} dimensions, but model "
                f"{model.name} has {model.d_model} at {dictionary.site.name}"
            )
    return dictionaries


def _chosen(
    name: str, found: dict[Path, Any], layers: Sequence[int] | None, sites: Sequence[str] | None
) -> list[Path]:
    points = {site.point for site in found.values()}
    if sites == ["all"]:
        sites = sorted(points)
    elif sites is None:
        sites = ["resid_pre"] if "resid_pre" in points else sorted(points)
    for point in sites:
        if point not in points:
            raise UserError(
                f"dictionaries {name!r} have no site {point!r}: expected one of "
                f"{', '.join(sorted(points))}"
            )
    at_points = [path for path, site in found.items() if site.point in sites]
    have = sorted({found[path].layer for path in at_points})
    for layer in layers or ():
        if layer not in have:
            raise UserError(
                f"dictionaries {name!r} have no layer {layer} at {', '.join(sites)}: expected one "
                f"of {', '.join(map(str, have))}"
            )
    chosen = [path for path in at_points if layers is None or found[path].layer in layers]
    return sorted(chosen, key=lambda path: found[path].depth)


def _folder_digest(folder: Path) -> str:
    """SHA-256 over what decides a model's numbers: weights, configuration, tokenizer."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.json")]):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
