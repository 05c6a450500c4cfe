"""Learning: all dictionaries of a run, block by block, from one pass of the model each.

A block is a stretch of the token stream; how long is decided by the memory that a user allows. From
time to time everything that learning goes on from is written down, so that a run that was killed
goes on at a block's beginning and ends with the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from torch import Tensor

from faultlens.models.model import Model
from faultlens.models.sites import Site
from faultlens.progress import Progress
from faultlens.training.checkpoint import TrainingCheckpoint
from faultlens.training.config import TrainConfig
from faultlens.training.harvest import Block, Harvest, InputScale, learnt_from
from faultlens.training.plan import DictionaryPlan
from faultlens.training.spread_harvest import Readers
from faultlens.training.spread_harvest import blocks as read_blocks
from faultlens.training.stream import TokenStream
from faultlens.training.trainer import OVER_BATCH, Trainer

KEPT_EVERY = 60.0  # seconds of learning between two checkpoints
POINTS = 50  # of a curve, about


@dataclass(frozen=True)
class Blocks:
    """How the tokens of a run are cut: each block is read at once, then learnt from in batches."""

    tokens: int  # of a block
    count: int
    batch: int

    @classmethod
    def of(cls, model: Model, sites: Sequence[Site], config: TrainConfig) -> Blocks:
        """As many whole batches a block as fit into the buffer, at least one."""
        batch = min(config.optimiser.batch_tokens, config.tokens)
        a_token = 4 * sum(model.width(site) for site in sites)
        batches = max(1, min(config.buffer_mb * 2**20 // (a_token * batch), config.tokens // batch))
        tokens = batches * batch
        return cls(tokens, -(-config.tokens // tokens), batch)

    @property
    def steps(self) -> int:
        return self.count * self.tokens // self.batch


def learn(
    harvest: Harvest,
    stream: TokenStream,
    plans: Sequence[DictionaryPlan],
    config: TrainConfig,
    metadata: Callable[[DictionaryPlan], dict[str, Any]],
    folder: Path,
    progress: Progress,
    readers: Readers | None = None,
) -> list[Trainer]:
    """Train every dictionary to the end; the trainers, whose weights are final.

    Args:
        harvest: the model at the sites of all plans.
        stream: what is read.
        plans: the dictionaries.
        config: how.
        metadata: what SAELens keeps of the model, of each dictionary.
        folder: where the checkpoint lies.
        progress: told of the tokens learnt from.
        readers: who reads the blocks; None: this process.
    """
    blocks = Blocks.of(harvest.model, harvest.sites, config)
    kept = TrainingCheckpoint(folder)
    first = harvest.block(stream, 0, blocks.tokens)
    scales = {s: InputScale.of(value[~first.special]) for s, value in first.values.items()}
    trainers = [
        Trainer.of(
            plan, config, blocks.steps, scales[plan.site], scales[plan.target], metadata(plan),
            harvest.model.device,
        )
        for plan in plans
    ]  # fmt: skip
    begun = kept.resume(trainers)
    if not begun:
        for trainer in trainers:
            trainer.choose_precision(*_pair(first, trainer.plan, slice(0, blocks.batch)))
    del first  # one block is held at a time
    tick = progress.start("Training", blocks.count * blocks.tokens)
    tick(begun * blocks.tokens)
    points = {round(blocks.count * (i + 1) / POINTS) for i in range(POINTS)} | {blocks.count}
    written = perf_counter()
    starts = (number * blocks.tokens for number in range(begun, blocks.count))
    coming = read_blocks(harvest, stream, starts, blocks.tokens, readers)
    for number in range(begun, blocks.count):
        block = next(coming)
        learn_block(trainers, scales, block, blocks.batch)
        del block
        tick(blocks.tokens)
        if number + 1 in points:
            for trainer in trainers:
                trainer.add_point()
        if perf_counter() - written > KEPT_EVERY or number + 1 == blocks.count:
            kept.write(trainers, number + 1)
            written = perf_counter()
    over_batch = [trainer for trainer in trainers if trainer.plan.kind in OVER_BATCH]
    if over_batch:
        last = harvest.block(stream, (blocks.count - 1) * blocks.tokens, blocks.tokens)
        usual = learnt_from(last, scales)
        for trainer in over_batch:
            trainer.calibrate(last.values[trainer.plan.site][usual], blocks.batch)
    return trainers


def learn_block(
    trainers: Sequence[Trainer], scales: dict[Site, InputScale], block: Block, batch: int
) -> None:
    """Every batch of a block, without the tokens that are not learnt from."""
    usual = learnt_from(block, scales)
    for start in range(0, len(usual), batch):
        part = slice(start, start + batch)
        rows = usual[part].nonzero().flatten()
        if not len(rows):
            continue
        for trainer in trainers:
            x, target = _pair(block, trainer.plan, part)
            if len(rows) < len(x):
                x, target = x[rows], target[rows]
            trainer.step(x, target)


def _pair(block: Block, plan: DictionaryPlan, part: slice) -> tuple[Tensor, Tensor]:
    return block.values[plan.site][part], block.values[plan.target][part]
