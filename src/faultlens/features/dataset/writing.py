"""Writing a dataset: shard by shard, each whole or not there; killed at any moment, it goes on.

    STORE/unfinished/plan.json         before the first shard; gone when all are there
    STORE/NAME/00000.parquet           a dictionary's firings on a range of texts
    STORE/unfinished/00000.json        the hashes of a shard's files, once all of them are there
    STORE/manifest.json                at the end: the plan and every file's hash

The finished folder holds nothing that depends on when it was made or how often it was begun.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from faultlens.errors import CannotWrite, UserError
from faultlens.features.dataset.config import DatasetConfig, Precision
from faultlens.features.dataset.plan import Plan, Shard
from faultlens.features.dataset.shard import write_shard
from faultlens.features.lens import Lens
from faultlens.features.reading import (
    Pieces,
    Shapes,
    read_pieces,
    screen_anew,
    settled,
    tokenized,
)
from faultlens.features.reading_config import LONG, Long
from faultlens.features.store import ActivationStore, Firings
from faultlens.progress import SILENT, Progress
from faultlens.runs.checkpoint import STILL_THERE
from faultlens.runs.files import file_digest, remove_parts, write_json, writing
from faultlens.runs.lock import held

MANIFEST, UNFINISHED, PLAN = "manifest.json", "unfinished", "plan.json"
SHARD_TOKENS = 4_096  # at 100 firings a token 7 MB a dictionary while it is made, 2.5 MB on disk

Hashes = dict[str, str]  # of a shard: by dictionary the SHA-256 of its file


@dataclass(frozen=True)
class Written:
    """What became of a dataset.

    Attributes:
        folder: where it lies.
        shards: how many there are.
        kept: how many were there already, whole.
        rebuilt: files that were there and damaged, each with what was wrong.
    """

    folder: Path
    shards: int
    kept: int
    rebuilt: tuple[str, ...]


def write_dataset(
    lens: Lens,
    texts: Sequence[str],
    folder: Path,
    *,
    long: Long = LONG,
    precision: Precision = DatasetConfig.precision,
    shapes: Shapes | None = None,
    shard_tokens: int = SHARD_TOKENS,
    progress: Progress = SILENT,
) -> Written:
    """Write the activations of all tokens of `texts`; go on where an earlier call was cut off.

    Args:
        lens: what to read through.
        texts: the corpus; a text's number is its place in it.
        folder: where to; it must not exist, be empty, or hold a dataset of the same kind.
        long: what to do with a text longer than the context.
        precision: of the activations on disk.
        shapes: how texts share the passes and are encoded; None finds what suits. A dataset that
            is there keeps its own, and its own number of threads.
        shard_tokens: tokens of a shard; likewise.
        progress: told of the tokens that were read.

    Raises:
        UserError: a text that cannot be read; a folder that holds something else, or a dataset of
            another model, dictionary, convention or corpus; a dataset that is being written.
    """
    if not texts:
        raise UserError("nothing to read: expected at least one text")
    tick = progress.start("Splitting the texts", len(texts))
    pieces = tokenized(lens.model, lens.dictionaries, texts, long, tick)
    begun = _begun(folder)
    asked = shapes or (begun.shapes if begun else Shapes.found(lens.model, lens.dictionaries))
    plan = Plan.of(lens, texts, pieces, long, precision, asked, shard_tokens)
    if begun is not None:
        begun.check_same(plan, folder)
        plan = begun
    else:
        how = settled(lens.model, lens.dictionaries, pieces, asked)
        plan = Plan.of(lens, texts, pieces, long, precision, how, shard_tokens)
    with _held(folder), _threads(plan.threads):
        screen_anew(lens.model, lens.dictionaries, pieces, plan.shapes)
        return _fill(lens, pieces, folder, plan, progress)


def check_folder(folder: Path) -> None:
    """Raises UserError for what stands against writing a dataset there; call it before the work."""
    with writing(folder):
        _begun(folder)
    with _held(folder):
        pass


def _begun(folder: Path) -> Plan | None:
    """The plan of the dataset in a folder, finished or not; None where there is none.

    Raises UserError if the folder holds something else.
    """
    for path in (folder / MANIFEST, folder / UNFINISHED / PLAN):
        if path.is_file():
            try:
                return Plan.from_dict(json.loads(path.read_text(encoding="utf-8"))["plan"])
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise UserError(
                    f"{path} is not the plan of a store: choose another --out"
                ) from error
    if folder.exists() and (not folder.is_dir() or set(folder.iterdir()) - {folder / UNFINISHED}):
        raise UserError(f"{folder} exists and holds no store: choose another --out")
    return None


def _fill(
    lens: Lens, pieces: Sequence[Pieces], folder: Path, plan: Plan, progress: Progress
) -> Written:
    unfinished = folder / UNFINISHED
    homes = [plan.shards[0].path(folder, name).parent for name in plan.dictionaries]
    for home in (folder, unfinished, *homes):
        remove_parts(home)
    if not (folder / MANIFEST).exists():
        write_json(unfinished / PLAN, {"plan": plan.to_dict()})
    whole, damaged = _there(folder, plan, progress)
    kept, before = len(whole), _recorded(folder, plan)
    tick = progress.start("Reading the tokens", plan.corpus["tokens"])
    tick(sum(plan.shards[number].tokens for number in whole))
    for shard in plan.shards:
        if shard.number in whole:
            continue
        hashes = _write_one(lens, pieces, folder, plan, shard)
        if not (folder / MANIFEST).exists():
            write_json(unfinished / f"{shard.number:05d}.json", hashes)
        whole[shard.number] = hashes
        if before.get(shard.number, hashes) != hashes:
            damaged.append(
                f"shard {shard.number} of {folder} was rebuilt with other bytes than it had: "
                f"{_first(before[shard.number])} before, {_first(hashes)} now"
            )
        tick(shard.tokens)
    files = {
        shard.path(folder, name).relative_to(folder).as_posix(): whole[shard.number][name]
        for shard in plan.shards
        for name in plan.dictionaries
    }
    write_json(folder / MANIFEST, {"plan": plan.to_dict(), "files": files})
    for name in (PLAN, *(f"{shard.number:05d}.json" for shard in plan.shards)):
        (unfinished / name).unlink(missing_ok=True)
    return Written(folder, len(plan.shards), kept, tuple(damaged))


def _recorded(folder: Path, plan: Plan) -> dict[int, Hashes]:
    """The hashes of the shards that were once finished."""
    if (folder / MANIFEST).exists():
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        return {
            shard.number: {
                name: files[shard.path(folder, name).relative_to(folder).as_posix()]
                for name in plan.dictionaries
            }
            for shard in plan.shards
        }
    found = {}
    for shard in plan.shards:
        path = folder / UNFINISHED / f"{shard.number:05d}.json"
        if path.is_file():
            found[shard.number] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _there(folder: Path, plan: Plan, progress: Progress) -> tuple[dict[int, Hashes], list[str]]:
    """The shards that are there, whole; and what is wrong with those that should be."""
    recorded = _recorded(folder, plan)
    whole: dict[int, Hashes] = {}
    damaged: list[str] = []
    if not recorded:
        return whole, damaged
    tick = progress.start("Checking the shards", len(recorded))
    for number, hashes in recorded.items():
        tick(1)
        wrong = []
        for name, expected in hashes.items():
            path = plan.shards[number].path(folder, name)
            if not path.is_file():
                wrong.append(f"{path} is missing and was rebuilt")
            elif file_digest(path) != expected:
                wrong.append(f"{path} was damaged (its hash is not that of the manifest) and was "
                             "rebuilt")  # fmt: skip
        damaged += wrong
        if not wrong:
            whole[number] = hashes
    return whole, damaged


def _write_one(
    lens: Lens, pieces: Sequence[Pieces], folder: Path, plan: Plan, shard: Shard
) -> Hashes:
    """Read the texts of a shard and write its files; their hashes."""
    kept = ActivationStore()
    mine = pieces[shard.first : shard.last]
    for batch in read_pieces(lens.model, lens.dictionaries, mine, plan.shapes):
        kept.add(batch)
    hashes = {}
    for name in plan.dictionaries:
        found = kept.firings(name)
        text = found.text + np.int32(shard.first)
        path = shard.path(folder, name)
        firings = Firings(text, found.position, found.feature, found.activation)
        try:
            write_shard(path, firings, plan.precision)
        except CannotWrite as error:
            raise CannotWrite(path, error.reason, STILL_THERE) from error
        hashes[name] = file_digest(path)
        kept.drop(name)
    return hashes


def _first(hashes: Hashes) -> str:
    return ", ".join(digest[:12] for digest in hashes.values())


@contextmanager
def _threads(wanted: int) -> Iterator[None]:
    """So many threads within this context: their number decides the last bits of a sum."""
    own = torch.get_num_threads()
    torch.set_num_threads(wanted)
    try:
        yield
    finally:
        torch.set_num_threads(own)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The folder, to one process at a time; its lock goes when the process ends, or dies."""
    with held(folder / UNFINISHED, folder):
        yield
