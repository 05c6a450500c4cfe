"""Kinds: SAELens's training class of each dictionary, which holds its parameters and its loss.

SAELens has no class that trains a transcoder. One is trained here as its BatchTopK class is, with
another target, and saved as SAELens's JumpReLU transcoder.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from faultlens.training.config import SparsityConfig
from faultlens.training.plan import DictionaryPlan

MATRYOSHKA = (16, 8, 4, 2, 1)  # the nested widths are the width over these


@contextmanager
def quiet() -> Iterator[None]:
    """Within this context SAELens's import does not warn about its own dependencies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def training_sae(
    plan: DictionaryPlan,
    sparsity: SparsityConfig,
    steps: int,
    metadata: dict[str, Any],
    device: torch.device,
) -> Any:
    """The `sae_lens.TrainingSAE` of a plan, its weights drawn from the plan's seed.

    Args:
        plan: what to train.
        sparsity: coefficients, for the kinds that have them.
        steps: of the whole training, of which the coefficients' warm-up is a share.
        metadata: what SAELens keeps of the model and its text.
        device: where the parameters go.
    """
    with quiet():
        import sae_lens.saes as saes
        from sae_lens.saes.sae import SAEMetadata

    common: dict[str, Any] = {
        "d_in": plan.d_in,
        "d_sae": plan.d_sae,
        "device": str(device),
        "normalize_activations": "none",  # the scale is taken off here, and folded in at the end
        "metadata": SAEMetadata(**metadata),
    }
    warm_up = round(steps * sparsity.penalty_warm_up)
    penalised = {"l1_coefficient": sparsity.l1, "l1_warm_up_steps": warm_up}
    torch.manual_seed(plan.seed)
    kind = "batchtopk" if plan.is_transcoder else plan.kind
    if kind == "topk":
        return saes.TopKTrainingSAE(saes.TopKTrainingSAEConfig(**common, k=plan.k))
    if kind == "batchtopk":
        takes_bias = {"apply_b_dec_to_input": not plan.is_transcoder}
        return saes.BatchTopKTrainingSAE(
            saes.BatchTopKTrainingSAEConfig(**common, **takes_bias, k=float(plan.k or 0))
        )
    if kind == "matryoshka_batchtopk":
        widths = [max(1, plan.d_sae // share) for share in MATRYOSHKA]
        config = saes.MatryoshkaBatchTopKTrainingSAEConfig(
            **common, k=float(plan.k or 0), matryoshka_widths=sorted(set(widths))
        )
        return saes.MatryoshkaBatchTopKTrainingSAE(config)
    if kind == "jumprelu":
        return saes.JumpReLUTrainingSAE(
            saes.JumpReLUTrainingSAEConfig(
                **common, l0_coefficient=sparsity.l0, l0_warm_up_steps=warm_up
            )
        )
    if kind == "gated":
        return saes.GatedTrainingSAE(saes.GatedTrainingSAEConfig(**common, **penalised))
    assert kind == "standard", kind
    return saes.StandardTrainingSAE(saes.StandardTrainingSAEConfig(**common, **penalised))
