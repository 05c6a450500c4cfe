"""SAELens itself: for formats that only it reads, and encoders that are no affine map.

The one module that imports it, and only inside functions: the import takes seconds. What can be
folded is taken out of its object at once; for the rest its `encode` is kept.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faultlens.errors import UserError
from faultlens.models import hub
from faultlens.models.dictionary import Dictionary, Encoder
from faultlens.models.folding import Origin, fold
from faultlens.models.registry import Entry
from faultlens.models.sae_config import SaeConfig, parse_config


def load_entry(entry: Entry, device: torch.device, size: float | None) -> Dictionary:
    """A registry's dictionary in a format of its own, read by SAELens's converter.

    Raises UserError if it is neither in the cache nor to be had, or SAELens cannot read it.
    """
    with _quietly():
        from sae_lens import SAE

        try:
            with _cache_only(not hub.reachable()):
                sae, _, _ = SAE.from_pretrained_with_cfg_and_sparsity(
                    entry.release, entry.sae_id, device=str(device), dtype="float32"
                )
        except Exception as error:
            # Its fifteen converters raise whatever the libraries below them do.
            if not hub.reachable():
                raise UserError(hub.not_at_hand(f"dictionary {entry}", size)) from error
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UserError(f"dictionary {entry} cannot be read by SAELens: {reason}") from error
    config = parse_config(sae.cfg.to_dict(), f"dictionary {entry}", entry.overrides_after_folding)
    tensors = {name: value.detach().float() for name, value in sae.state_dict().items()}
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(tensors[name].cpu().numpy().tobytes())
    origin = Origin(
        f"{entry.repo}/{entry.path}", digest.hexdigest(), entry.release, entry.name,
        published=entry.published, neuronpedia=entry.neuronpedia,
    )  # fmt: skip
    if config.activation is not None:
        return fold(config, tensors, origin)
    return fold(config, *_with_encoder(sae, origin))


def encoder_of_folder(
    folder: Path, config: SaeConfig, device: torch.device, origin: Origin
) -> tuple[dict[str, Tensor], Origin, Encoder]:
    """The tensors of a local folder whose architecture only SAELens encodes, and its encoder."""
    with _quietly():
        from sae_lens import SAE

        try:
            sae = SAE.load_from_disk(folder, device=str(device), dtype="float32")
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UserError(f"{folder} cannot be read by SAELens: {reason}") from error
    return _with_encoder(sae, origin)


def _with_encoder(sae: Any, origin: Origin) -> tuple[dict[str, Tensor], Origin, Encoder]:
    sae.eval().requires_grad_(False)
    # The input comes prepared: SAELens would normalise it again, and keep state between calls.
    sae.run_time_activation_norm_fn_in = lambda x: x
    sae.turn_off_forward_pass_hook_z_reshaping()
    tensors = {"W_enc": sae.W_enc, "W_dec": sae.W_dec, "b_dec": sae.b_dec}

    def encode(prepared: Tensor) -> Tensor:
        activations: Tensor = sae.encode(prepared)
        return activations.to_dense() if activations.is_sparse else activations

    return {name: value.detach().float() for name, value in tensors.items()}, origin, encode


@contextmanager
def _quietly() -> Iterator[None]:
    """SAELens and what it imports warn of things that are dealt with here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _cache_only(wanted: bool) -> Iterator[None]:
    """Keep the hub's library from asking a network that is not there, with its long retries.

    And SAELens, which asks the hub for the shapes of tensors (of Gemma 3 among others) even when
    their file is in the cache: it is given those of that file.
    """
    from huggingface_hub import constants
    from sae_lens.loading import pretrained_sae_loaders as loaders

    offline, shapes = constants.HF_HUB_OFFLINE, loaders.get_safetensors_tensor_shapes
    if wanted:
        constants.HF_HUB_OFFLINE = True
        loaders.get_safetensors_tensor_shapes = _cached_shapes
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline
        loaders.get_safetensors_tensor_shapes = shapes


def _cached_shapes(repo: str, filename: str) -> dict[str, list[int]]:
    """The shapes of the tensors in a repository's file, which must be in the cache."""
    from huggingface_hub import hf_hub_download
    from safetensors import safe_open

    path = hf_hub_download(repo, filename, local_files_only=True)
    with safe_open(path, framework="pt") as file:
        return {name: list(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
