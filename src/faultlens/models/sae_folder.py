"""Read a dictionary from files in SAELens's format, without importing SAELens.

A folder holds `cfg.json` and `sae_weights.safetensors`; a set of dictionaries is a folder of such
folders.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from faultlens.errors import UserError
from faultlens.models.checkpoints.digest import files_digest
from faultlens.models.dictionary import Dictionary
from faultlens.models.folding import Origin, fold
from faultlens.models.sae_config import CONFIG, parse_config, read_json, site_in
from faultlens.models.sites import Site

WEIGHTS = "sae_weights.safetensors"
PICKLED = (".pt", ".pth", ".bin", ".pkl")


def holds_saes(folder: Path) -> bool:
    """Whether there is a dictionary in SAELens's format in a folder, or one folder down."""
    places = [folder, *(path.parent for path in folder.glob(f"*/{WEIGHTS}"))]
    return any((here / CONFIG).is_file() and (here / WEIGHTS).is_file() for here in places)


def sae_folders(folder: Path) -> list[Path]:
    """The SAE folders in `folder`, or `folder` itself if it is one.

    Raises UserError if there are none, or it cannot be read.
    """
    try:
        if (folder / CONFIG).is_file():
            return [folder]
        found = sorted(p for p in folder.iterdir() if p.is_dir() and (p / CONFIG).is_file())
    except OSError as error:
        raise UserError(f"folder {folder} cannot be read: {error.strerror}") from error
    if not found:
        raise UserError(
            f"no dictionaries in {folder}: expected {CONFIG} and {WEIGHTS} there or one folder "
            "down, or the files of another library (docs/dictionaries.md)"
        )
    return found


def site_of(folder: Path) -> Site:
    """The site a dictionary was trained at, from its configuration alone."""
    return site_in(read_json(folder / CONFIG), str(folder / CONFIG))


def load_sae_folder(
    folder: Path,
    set_name: str,
    device: torch.device,
    overrides: Mapping[str, Any] | None = None,
    origin: Origin | None = None,
) -> Dictionary:
    """One dictionary, in float32 on `device`.

    Args:
        folder: holds the configuration and the weights.
        set_name: the dictionary is called `{site.short}-{set_name}`, unless `origin` names it.
        device: where its tensors go.
        overrides: a registry's, which win over the configuration.
        origin: where it comes from, if that is more than a folder.

    Raises:
        UserError: a file is missing, broken, or says something that is not supported.
    """
    config = parse_config(read_json(folder / CONFIG), str(folder / CONFIG), overrides)
    tensors = read_tensors(folder / WEIGHTS, device)
    if origin is None:
        origin = Origin(str(folder), folder_digest(folder), set_name)
    if config.activation is not None:
        return fold(config, tensors, origin)
    from faultlens.models.saelens import encoder_of_folder

    return fold(config, *encoder_of_folder(folder, config, device, origin))


def folder_digest(folder: Path) -> str:
    """SHA-256 over the configuration and the weights: either changes the numbers."""
    return files_digest([folder / CONFIG, folder / WEIGHTS], named=False)


def read_tensors(path: Path, device: torch.device) -> dict[str, Tensor]:
    """The tensors of a safetensors file, in float32. Raises UserError if it cannot be read."""
    if not path.exists():
        pickled = [p.name for p in sorted(path.parent.glob("*")) if p.suffix in PICKLED]
        hint = f" ({pickled[0]} is pickled, and is never opened)" if pickled else ""
        raise UserError(f"no file {path}{hint}: expected the weights of {path.parent / CONFIG}")
    try:
        raw = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read as safetensors: {error}") from error
    for name, tensor in raw.items():
        if not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise UserError(f"{path}: tensor {name!r} is of type {kind}, expected real numbers")
    return {name: tensor.to(device, torch.float32) for name, tensor in raw.items()}
