"""Saving: a trained dictionary as a folder in SAELens's format, scales and norms folded in.

What was learnt is learnt in scaled units. In the file the scale is part of the weights, so that the
folder reads the model's values as they are, and `normalize_activations` says `none`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from faultlens.models.sae_config import CONFIG
from faultlens.models.sae_folder import WEIGHTS
from faultlens.runs.files import new_file, write_json
from faultlens.training.kinds import quiet
from faultlens.training.trainer import OVER_BATCH, Trainer

WINDOW_FIGURES = ("l0", "num_dead_features")  # of a training window; the card measures them anew


@torch.no_grad()
def save_dictionary(trainer: Trainer, folder: Path) -> None:
    """Write `cfg.json` and `sae_weights.safetensors` into a folder that is there."""
    config, tensors = (_transcoder if trainer.plan.is_transcoder else _autoencoder)(trainer)
    for figure in WINDOW_FIGURES:
        config.get("metadata", {}).pop(figure, None)
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with new_file(folder / WEIGHTS) as file:
        file.write(save(whole))
    write_json(folder / CONFIG, dict(sorted(config.items())))


def _autoencoder(trainer: Trainer) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """By SAELens's own folding, on a copy: learning may go on."""
    sae = _copy(trainer.sae)
    if trainer.plan.kind in OVER_BATCH:
        sae.topk_threshold = sae.topk_threshold.new_tensor(_threshold(trainer))
    sae.fold_activation_norm_scaling_factor(trainer.scale.factor)
    tensors = sae.state_dict()
    sae.process_state_dict_for_saving_inference(tensors)
    return sae.cfg.get_inference_sae_cfg_dict(), tensors


def _threshold(trainer: Trainer) -> float:
    assert trainer.threshold is not None, "calibrate a trainer before it is saved"
    return trainer.threshold


def _copy(sae: Any) -> Any:
    with quiet():
        import copy

        return copy.deepcopy(sae)


def _transcoder(trainer: Trainer) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """As SAELens's JumpReLU transcoder: `z = x W_enc + b_enc`, fires above the threshold.

    With input scale s, output scale r and decoder norms n (of the file): `W_enc · s n`,
    `b_enc · n`, `W_dec / (r n)`, `b_dec / r`, `W_skip · s / r`; the threshold, which is
    in units of `pre · ‖W_dec‖`, is divided by r.
    """
    with quiet():
        import sae_lens.saes as saes

    sae, s, r = trainer.sae, trainer.scale.factor, trainer.target_scale.factor
    norms = sae.get_W_dec_norm() / r
    tensors = {
        "W_enc": sae.W_enc * s * norms,
        "b_enc": sae.b_enc * norms,
        "W_dec": sae.W_dec / (r * norms[:, None]),
        "b_dec": sae.b_dec / r,
        "threshold": torch.full_like(sae.b_enc, _threshold(trainer) / r),
    }
    kind = saes.JumpReLUTranscoderConfig
    if trainer.skip is not None:
        kind = saes.JumpReLUSkipTranscoderConfig
        tensors["W_skip"] = (trainer.skip * (s / r)).T  # SAELens's is [d_out, d_in]
    config = kind(
        d_in=trainer.plan.d_in,
        d_out=trainer.plan.d_out,
        d_sae=trainer.plan.d_sae,
        apply_b_dec_to_input=False,
        metadata=sae.cfg.metadata,
    )
    return config.to_dict(), tensors
