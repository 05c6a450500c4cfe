"""`faultlens train`: dictionaries for any model, with the measurements that say what they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from faultlens.cli.corpora import CORPORA, TextColumn, read_named_texts
from faultlens.cli.run_options import JsonOption
from faultlens.cli.screen import progress_bars, say, say_json, warn
from faultlens.errors import Interrupted
from faultlens.models.model_config import ModelConfig
from faultlens.scale.config import SpreadConfig
from faultlens.training.config import TrainConfig

if TYPE_CHECKING:
    from faultlens.training.run import TrainedDictionary


@dataclass(frozen=True)
class TrainingFolder:
    """Where the dictionaries go."""

    out: Path
    """Folder of the dictionaries: new, or of an unfinished training run, which goes on."""


def train(
    corpus: Annotated[str, CORPORA],
    folder: TrainingFolder,
    column: TextColumn,
    model: ModelConfig,
    config: TrainConfig,
    spread: SpreadConfig,
    result: JsonOption,
) -> None:
    """Train sparse autoencoders or transcoders, several at once; killed, the same command goes on.

    OUT/SITE holds each in SAELens's format, with CARD.md: what was measured on text it never saw.
    Give OUT to --sae to read the model through them.
    """
    import faultlens as fl
    from faultlens.training.run import check_folder

    check_folder(folder.out)
    texts = read_named_texts(corpus, column)
    try:
        with progress_bars() as bars, spread.opened(model.threads, model.device) as workers:
            if spread.ray is not None and model.threads is None:
                model = replace(model, threads=1)
            found = fl.train(
                model, texts, folder.out, config=config, progress=bars,
                workers=None if spread.ray is None else workers,
            )  # fmt: skip
    except KeyboardInterrupt:
        kept = f"what was learnt up to the last checkpoint is kept in {folder.out}; the same "
        raise Interrupted(f"{kept}command goes on from there") from None
    warn(found.warnings)
    if result.json:
        say_json({made.plan.folder: made.card.to_dict() for made in found.dictionaries})
    else:
        say([*(_line(made) for made in found.dictionaries), f"Written to {found.folder}."])


def _line(made: TrainedDictionary) -> str:
    fit = made.card.fit
    if fit is None:
        return f"{made.plan.folder}: nothing was held out, so nothing was measured"
    mean = fit.recovered_from_mean
    said = (
        f"{made.plan.folder}: {made.plan.kind}, {made.plan.d_sae:,} features; on {fit.tokens:,} "
        f"tokens it never saw FVU {fit.fvu:.3f}, L0 {fit.l0:.1f}, "
        f"{1 - fit.firing_share:.1%} never fired"
    )
    if mean is not None:
        said += f", {mean:.0%} of the loss recovered from mean ablation"
    shared = [f"{one.share:.0%}" for one in made.card.stability]
    return said + (f"; found again by other seeds: {', '.join(shared)}" if shared else "")
