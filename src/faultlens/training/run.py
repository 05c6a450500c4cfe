"""A training run: a folder with one dictionary a site, each with its card.

The folder says what is trained in it, so that the same command goes on where it was interrupted and
another one is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from faultlens.errors import UserError
from faultlens.models.dictionary import Dictionary
from faultlens.models.fit import Fit, measure_fit
from faultlens.models.model import Model
from faultlens.models.sae_folder import load_sae_folder
from faultlens.models.stability import Stability, stability
from faultlens.models.start_ids import shown
from faultlens.models.start_token import start_of
from faultlens.progress import SILENT, Progress
from faultlens.runs.files import read_object, real_folder, remove_parts, write_json, writing
from faultlens.runs.lock import held
from faultlens.training.card import CARD_JSON, Card
from faultlens.training.checkpoint import TrainingCheckpoint
from faultlens.training.config import TrainConfig
from faultlens.training.harvest import Harvest
from faultlens.training.learning import learn
from faultlens.training.plan import DictionaryPlan, plan_dictionaries
from faultlens.training.reading import CurvePoint
from faultlens.training.saving import save_dictionary
from faultlens.training.spread_harvest import Readers
from faultlens.training.stream import TokenStream, check_size, split_corpus

RECORD, WORK = "training.json", "unfinished"
FIT_ROWS = 128  # held-out pieces on which losses are measured, at most
VERSIONS = ("faultlens", "torch", "transformers", "sae-lens")
STREAM_SEED = 0  # of the order of the text, the same for all seeds of a run
Curves = Sequence[tuple[DictionaryPlan, Sequence[CurvePoint]]]


@dataclass(frozen=True)
class TrainedDictionary:
    """One dictionary that a run made."""

    plan: DictionaryPlan
    folder: Path
    card: Card


@dataclass(frozen=True)
class TrainingRun:
    """What a run made, and what its user should know, a sentence each."""

    folder: Path
    dictionaries: list[TrainedDictionary]
    warnings: list[str]


def train_dictionaries(
    model: Model,
    texts: Sequence[str],
    config: TrainConfig,
    out: Path,
    progress: Progress = SILENT,
    readers: Readers | None = None,
) -> TrainingRun:
    """Train all dictionaries of a configuration, and save each with its card.

    Args:
        model: whose activations they are to rebuild.
        texts: what it reads.
        config: which dictionaries, on how many tokens.
        out: the run's folder: new, empty, or of an unfinished run of the same model, text and
            configuration, which goes on.
        progress: told of the texts, and of the tokens learnt from.
        readers: who reads the activations that are learnt from; None: this process.

    Raises:
        UserError: a site that the model lacks, a corpus that is too small, a folder that holds
            something else, a loss that is not finite.
    """
    plans = plan_dictionaries(model, config)
    check_folder(out)
    with held(out / WORK, out):
        return _trained(model, texts, config, plans, out, progress, readers)


def _trained(
    model: Model,
    texts: Sequence[str],
    config: TrainConfig,
    plans: Sequence[DictionaryPlan],
    out: Path,
    progress: Progress,
    readers: Readers | None,
) -> TrainingRun:
    stream, held_out = split_corpus(
        model, texts, config.context, config.held_out, STREAM_SEED,
        progress.start("Tokenising", len(texts)),
    )  # fmt: skip
    warnings = check_size(stream, max(plan.d_sae for plan in plans))
    if config.tokens > stream.tokens:
        warnings.append(
            f"{config.tokens} tokens are asked for, and the corpus has {stream.tokens} to learn "
            f"from: they are read {config.tokens / stream.tokens:.1f} times"
        )
    made = _made(model, texts, config, stream)
    _claim(out, made)
    sites = sorted({s for plan in plans for s in (plan.site, plan.target)}, key=lambda s: s.depth)
    harvest = Harvest(model, tuple(sites), start_of(model).ids)
    curves = _learnt(harvest, stream, plans, config, out, progress, readers)
    cards = _measure(model, curves, held_out, made, out, progress)
    for card in cards:
        card.write(out / card.plan.folder)
    TrainingCheckpoint(out).forget()
    done = [TrainedDictionary(card.plan, out / card.plan.folder, card) for card in cards]
    return TrainingRun(out, done, warnings)


def _learnt(
    harvest: Harvest,
    stream: TokenStream,
    plans: Sequence[DictionaryPlan],
    config: TrainConfig,
    out: Path,
    progress: Progress,
    readers: Readers | None,
) -> Curves:
    """Train and save every dictionary. Only the curves stay in memory."""
    trainers = learn(
        harvest, stream, plans, config,
        lambda plan: _metadata(harvest.model, plan, config), out, progress, readers,
    )  # fmt: skip
    for trainer in trainers:
        save_dictionary(trainer, real_folder(out / trainer.plan.folder))
    return [(trainer.plan, trainer.curve) for trainer in trainers]


def check_folder(out: Path) -> None:
    """Raises UserError for what stands against training there; call it before the work.

    That is a folder that is finished, holds something else, is being written, or cannot be.
    """
    with writing(out):
        _refuse_others(out)
    with held(out / WORK, out):
        pass


def _refuse_others(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"{out} is a file: expected a folder for the trained dictionaries")
    if not set(out.iterdir()) - {out / WORK}:
        return
    if not (out / RECORD).is_file():
        raise UserError(
            f"{out} holds files that are no training run: expected a new folder; name another one"
        )
    if not TrainingCheckpoint(out).begun and any(out.rglob(CARD_JSON)):
        raise UserError(
            f"{out} holds a finished training run: nothing is left to do; name another folder to "
            "train again"
        )


def _claim(out: Path, made: dict[str, Any]) -> None:
    """Say in the folder what is trained there. Raises UserError where another run is."""
    record = out / RECORD
    try:
        before = read_object(record)
    except UserError as error:
        raise UserError(f"{error}; delete the folder {out} to begin anew") from error
    if before is not None:
        differing = [key for key in made if before.get(key) != made[key]]
        if differing:
            raise UserError(
                f"{out} holds an unfinished training run with another {', '.join(differing)}: give "
                "the same command to go on, or name another folder"
            )
    remove_parts(out)
    write_json(record, made)


def _made(
    model: Model, texts: Sequence[str], config: TrainConfig, stream: TokenStream
) -> dict[str, Any]:
    """All that decides a run, as its record and its cards say it."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return {
        "model": model.name,
        "model_digest": model.digest,
        "start_token": start_of(model).shown,
        "corpus_sha256": digest.hexdigest(),
        "corpus_texts": len(texts),
        "corpus_tokens": stream.tokens,
        "configuration": json.loads(json.dumps(asdict(config))),
        "versions": {name: version(name) for name in VERSIONS},
    }


def _metadata(model: Model, plan: DictionaryPlan, config: TrainConfig) -> dict[str, Any]:
    """What SAELens keeps beside the weights: where the dictionary belongs, and how it was read."""
    found = {
        "model_name": model.name,
        "hook_name": plan.site.name,
        "context_size": min(config.context, model.context),
        **_start(model),
    }
    return found | ({"hook_name_out": plan.target.name} if plan.is_transcoder else {})


def _start(model: Model) -> dict[str, Any]:
    """What stood in front of each piece: BOS, nothing, or a `start_token` in its place."""
    ids = list(start_of(model).ids)
    if not ids:
        return {"prepend_bos": False}
    other = not model.has_bos or ids != [model.bos_id]
    return {"prepend_bos": True} | ({"start_token": shown(model, ids)} if other else {})


def _measure(
    model: Model,
    curves: Curves,
    held_out: Sequence[list[int]],
    made: dict[str, Any],
    out: Path,
    progress: Progress,
) -> list[Card]:
    """Measure every saved dictionary, and what the seeds of a run share."""
    tick = progress.start("Measuring", len(curves))
    saved: dict[str, Dictionary] = {}
    fits: dict[str, Fit | None] = {}
    for plan, _ in curves:
        dictionary = load_sae_folder(out / plan.folder, plan.folder, model.device)
        saved[plan.folder] = dictionary
        enough = sum(map(len, held_out)) > 1
        fits[plan.folder] = measure_fit(model, dictionary, held_out, FIT_ROWS) if enough else None
        tick(1)
    plans = [plan for plan, _ in curves]
    return [
        Card(
            plan, made, fits[plan.folder], curve, _against_other_seeds(plan, plans, saved),
            fits.get(_twin_of(plan)),
        )
        for plan, curve in curves
    ]  # fmt: skip


def _twin_of(plan: DictionaryPlan) -> str:
    """The folder of the dictionary whose decoder was not learnt; "" for that one itself."""
    if plan.frozen_decoder:
        return ""
    variant, _, site = plan.folder.rpartition("/")
    return f"{variant}.random-decoder/{site}" if variant else f"random-decoder/{site}"


def _against_other_seeds(
    plan: DictionaryPlan, plans: Sequence[DictionaryPlan], saved: dict[str, Dictionary]
) -> list[Stability]:
    def kin(other: DictionaryPlan) -> bool:
        same = ("kind", "site", "target", "d_sae", "k", "frozen_decoder")
        return other.seed != plan.seed and all(
            getattr(other, name) == getattr(plan, name) for name in same
        )

    return [
        stability(saved[plan.folder], saved[other.folder])
        for other in plans
        if kin(other) and not plan.frozen_decoder
    ]
