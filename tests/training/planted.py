"""Values made of known sparse directions, and what it takes to learn from them without a model."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from faultlens.models.sites import Site
from faultlens.training.config import OptimiserConfig, SparsityConfig, TrainConfig
from faultlens.training.harvest import InputScale
from faultlens.training.plan import DictionaryPlan
from faultlens.training.trainer import Trainer

D, TRUE, FIRING = 128, 200, 3  # dimensions, directions, how many fire on a token on average
READS, WRITES = Site(0, "mlp_in"), Site(0, "mlp_out")


def directions(seed: int = 0) -> Tensor:
    """Unit vectors, `[TRUE, D]`."""
    drawn = torch.randn(TRUE, D, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(drawn, dim=1)


def tokens(count: int, seed: int) -> Tensor:
    """How strongly each direction is present in each token, `[count, TRUE]`: most are not."""
    generator = torch.Generator().manual_seed(seed)
    present = torch.rand(count, TRUE, generator=generator) < FIRING / TRUE
    return present * (0.5 + torch.rand(count, TRUE, generator=generator))


@cache
def trained(kind: str, steps: int, sparsity: SparsityConfig, rate: float = 2e-3) -> Trainer:
    """A dictionary of 400 features, learnt from `steps` batches of 512 planted tokens."""
    transcoder = kind.endswith("transcoder")
    site, target = (READS, WRITES) if transcoder else (WRITES, WRITES)
    k = sparsity.k[0]
    plan = DictionaryPlan("planted", kind, site, target, D, D, 2 * TRUE, k, 0)
    config = TrainConfig(
        layers=(0,),
        sparsity=sparsity,
        optimiser=OptimiserConfig(
            learning_rate=rate, dead_after=20_000, encoder_precision="float32"
        ),
    )
    reads, writes = directions(0), directions(1 if transcoder else 0)
    first = tokens(4096, 0)
    trainer = Trainer.of(
        plan, config, steps, InputScale.of(first @ reads), InputScale.of(first @ writes), {},
        torch.device("cpu"),
    )  # fmt: skip
    for step in range(steps):
        present = tokens(512, step + 1)
        trainer.step(present @ reads, present @ writes)
    trainer.add_point()
    trainer.calibrate(tokens(4096, steps + 1) @ reads, 512)
    return trainer


def written_for_each(trainer: Trainer) -> tuple[Tensor, Tensor]:
    """What a transcoder adds to its output where one direction alone is read: `[TRUE, D]` each.

    First what its features add, as they are saved (with a threshold), then what the skip adds.
    """
    sae = trainer.sae
    assert trainer.threshold is not None and trainer.skip is not None
    with torch.no_grad():
        x = directions(0) * trainer.scale.factor
        pre = torch.cat([x, torch.zeros(1, D)]) @ sae.W_enc + sae.b_enc
        fires = pre * sae.W_dec.norm(dim=1) > trainer.threshold
        written = torch.where(fires, pre, 0.0) @ sae.W_dec
        return written[:-1] - written[-1], x @ trainer.skip


def as_planted(written: Tensor) -> float:
    """Share of the planted directions that are written, cosine at least .95."""
    cosines = torch.nn.functional.cosine_similarity(written, directions(1), dim=1)
    return float((cosines >= 0.95).float().mean())


def recovered(trainer: Trainer) -> float:
    """Share of the planted directions that some feature writes, cosine at least .95."""
    truth = directions(1 if trainer.plan.is_transcoder else 0)
    learnt = torch.nn.functional.normalize(trainer.sae.W_dec.detach(), dim=1)
    return float(((truth @ learnt.T).max(dim=1).values >= 0.95).float().mean())
