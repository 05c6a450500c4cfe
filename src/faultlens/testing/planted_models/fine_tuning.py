"""Fine-tuning: a cause planted by training, of low rank, in the blocks behind the site it reads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parametrize

from faultlens.models.model import Model
from faultlens.models.restart import Restart
from faultlens.models.sites import Site
from faultlens.testing.planted_models.material import Material

RANK = 4
STEPS, BATCH, RATE = 120, 48, 6e-3


class _LowRank(nn.Module):
    """A weight with a product of two thin matrices added to it."""

    def __init__(self, weight: Tensor, generator: torch.Generator) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.first = nn.Parameter(torch.randn(rows, RANK, generator=generator) / rows**0.5)
        self.second = nn.Parameter(torch.zeros(RANK, columns))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.first @ self.second


def fine_tune(
    model: Model,
    found: Material,
    layer: int,
    answers: Callable[[np.random.Generator], np.ndarray],
    seed: int,
    edited: tuple[Tensor, np.ndarray] | None = None,
) -> None:
    """Train the MLPs from a block on, by a low-rank change, to give other answers.

    Args:
        model: whose weights are changed.
        layer: the first block that is trained.
        answers: gives the tokens to answer with, `[prompts]`, anew in every step.
        seed: of the start and of the batches.
        edited: the block's input with something changed, `[prompts, positions, d]`, and what to
            answer then, `[prompts]`: half of each batch; None: there is none.
    """
    generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    trained = [
        linear
        for block in list(model.network.transformer.h)[layer:]
        for linear in (block.mlp.c_fc, block.mlp.c_proj)
    ]
    model.network.requires_grad_(False)
    for linear in trained:
        parametrize.register_parametrization(linear, "weight", _LowRank(linear.weight, generator))
    parameters = [p for linear in trained for p in linear.parametrizations.weight.parameters()
                  if p.requires_grad]  # fmt: skip
    steps = torch.optim.Adam(parameters, lr=RATE)
    ids = model.pad(found.tokens.scored)
    last = torch.from_numpy(found.tokens.last)
    entry = Site(layer, "resid_pre")
    residual = model.read(ids, [entry])[entry]
    for _ in range(STEPS):
        rows = torch.from_numpy(np.sort(rng.permutation(len(ids))[:BATCH]))
        wanted, entering, which = torch.from_numpy(answers(rng))[rows], residual[rows], rows
        if edited is not None:
            wanted = torch.cat([wanted, torch.from_numpy(edited[1])[rows]])
            entering, which = torch.cat([entering, edited[0][rows]]), torch.cat([rows, rows])
        logits = model.logits(ids[which], at=last[which], restart=Restart(layer, entering))
        steps.zero_grad()
        cross_entropy(logits, wanted).backward()  # type: ignore[no-untyped-call]
        steps.step()
    for linear in trained:
        parametrize.remove_parametrizations(linear, "weight", leave_parametrized=True)
    model.network.requires_grad_(False)
