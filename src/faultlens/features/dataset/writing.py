"""Writing a dataset: shard by shard, each whole or not there; killed at any moment, it goes on.

    STORE/unfinished/plan.json         before the first shard; gone when all are there
    STORE/NAME/00000.parquet           a dictionary's firings on a range of texts
    STORE/unfinished/00000.json        the hashes of a shard's files, once all of them are there
    STORE/manifest.json                at the end: the plan and every file's hash

The finished folder holds nothing that depends on when it was made or how often it was begun.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from faultlens.errors import CannotWrite, UserError
from faultlens.features.dataset.config import DatasetConfig, Precision
from faultlens.features.dataset.plan import Plan, Shard
from faultlens.features.dataset.record import (
    Counts,
    Finished,
    finished_of,
    finished_shards,
    manifest_of,
    plan_of,
    read_record,
    total_left_out,
)
from faultlens.features.dataset.shard import firings_in, write_shard
from faultlens.features.encoding_choice import renew_screens
from faultlens.features.lens import Lens
from faultlens.features.reading import Reader
from faultlens.features.reading_config import LONG, AskedEncoding, Long
from faultlens.features.store import ActivationStore, Firings
from faultlens.features.text_tokens import TextTokens
from faultlens.features.token_choice import LeftOut, counted
from faultlens.progress import SILENT, Progress
from faultlens.runs.checkpoint import STILL_THERE
from faultlens.runs.files import file_digest, remove_parts, write_json, writing
from faultlens.runs.lock import held

MANIFEST, UNFINISHED, PLAN = "manifest.json", "unfinished", "plan.json"
SHARD_TOKENS = 4_096  # at 100 firings a token 7 MB a dictionary while it is made, 2.5 MB on disk


@dataclass(frozen=True)
class Written:
    """What became of a dataset.

    Attributes:
        folder: where it lies.
        shards: how many there are.
        kept: how many were there already, whole.
        rebuilt: files that were there and damaged, each with what was wrong.
        silent: dictionaries of which no feature fires on any token.
        left_out: of the tokens that do not count, by dictionary and reason (special, massive), how
            often each was there.
    """

    folder: Path
    shards: int
    kept: int
    rebuilt: tuple[str, ...]
    silent: tuple[str, ...]
    left_out: Counts


def write_dataset(
    lens: Lens,
    texts: Sequence[str],
    folder: Path,
    *,
    long: Long = LONG,
    precision: Precision = DatasetConfig.precision,
    encoding: AskedEncoding | None = None,
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
        encoding: how sites' values are encoded; None: as the lens says. A dataset that is there
            keeps its own, its own shapes of passes and its own number of threads.
        shard_tokens: tokens of a shard; likewise.
        progress: told of the tokens that were read.

    Raises:
        UserError: a text that cannot be read; a folder that holds something else, or a dataset of
            another model, dictionary, convention or corpus; a dataset that is being written.
    """
    tick = progress.start("Splitting the texts", len(texts))
    tokens = lens.tokenize(texts, long, tick)
    begun = _begun(folder)
    shapes = begun.shapes if begun is not None else lens.shapes(tokens, encoding)
    plan = Plan.of(lens, texts, tokens, long, precision, shapes, shard_tokens)
    if begun is not None:
        begun.check_same(plan, folder)
        plan = begun
    with _held(folder), _threads(plan.threads):
        if plan.shapes.encoding == "compiled":
            renew_screens(lens.dictionaries, lens.first_values(tokens, plan.shapes))
        return _fill(lens.reader(plan.shapes), tokens, folder, plan, progress)


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
                return plan_of(read_record(path))
            except ValueError as error:
                raise UserError(
                    f"{path} is not the plan of a store: {error}; choose another --out"
                ) from error
    if folder.exists() and (not folder.is_dir() or set(folder.iterdir()) - {folder / UNFINISHED}):
        raise UserError(f"{folder} exists and holds no store: choose another --out")
    return None


def _fill(
    reader: Reader, tokens: Sequence[TextTokens], folder: Path, plan: Plan, progress: Progress
) -> Written:
    unfinished = folder / UNFINISHED
    homes = [plan.shards[0].path(folder, name).parent for name in plan.dictionaries]
    for home in (folder, unfinished, *homes):
        remove_parts(home)
    if not (folder / MANIFEST).exists():
        write_json(unfinished / PLAN, {"plan": plan.to_dict()})
    before = _recorded(folder, plan)
    whole, damaged = _there(folder, plan, before, progress)
    kept = len(whole)
    tick = progress.start("Reading the tokens", plan.corpus["tokens"])
    tick(sum(plan.shards[number].tokens for number in whole))
    for shard in plan.shards:
        if shard.number in whole:
            continue
        made = _write_one(reader, tokens, folder, plan, shard)
        if not (folder / MANIFEST).exists():
            write_json(unfinished / f"{shard.number:05d}.json", made.to_dict())
        whole[shard.number] = made
        had = before.get(shard.number, made)
        if had.hashes != made.hashes:
            damaged.append(
                f"shard {shard.number} of {folder} was rebuilt with other bytes than it had: "
                f"{_first(had.hashes)} before, {_first(made.hashes)} now"
            )
        tick(shard.tokens)
    write_json(folder / MANIFEST, manifest_of(plan, whole, folder))
    for name in (PLAN, *(f"{shard.number:05d}.json" for shard in plan.shards)):
        (unfinished / name).unlink(missing_ok=True)
    left_out = total_left_out(whole.values(), plan)
    silent = _silent(folder, plan)
    return Written(folder, len(plan.shards), kept, tuple(damaged), silent, left_out)


def _silent(folder: Path, plan: Plan) -> tuple[str, ...]:
    """The dictionaries whose files hold nothing."""
    return tuple(
        name
        for name in plan.dictionaries
        if not any(firings_in(shard.path(folder, name)) for shard in plan.shards)
    )


def _recorded(folder: Path, plan: Plan) -> dict[int, Finished]:
    """The shards that were once finished; those whose records are damaged are left out."""
    if (folder / MANIFEST).exists():
        try:
            return finished_shards(read_record(folder / MANIFEST), plan, folder)
        except ValueError:
            return {}
    known = {}
    for shard in plan.shards:
        path = folder / UNFINISHED / f"{shard.number:05d}.json"
        if path.is_file():
            with suppress(ValueError):
                known[shard.number] = finished_of(read_record(path), plan)
    return known


def _there(
    folder: Path, plan: Plan, recorded: Mapping[int, Finished], progress: Progress
) -> tuple[dict[int, Finished], list[str]]:
    """The shards that are there, whole; and what is wrong with those that should be."""
    whole: dict[int, Finished] = {}
    damaged: list[str] = []
    if not recorded and (folder / MANIFEST).exists():
        damaged.append(f"{folder / MANIFEST} was damaged, and all files were rebuilt")
    tick = progress.start("Checking the shards", len(recorded)) if recorded else None
    for number, finished in recorded.items():
        wrong = [
            complaint
            for name, expected in finished.hashes.items()
            if (complaint := _wrong(plan.shards[number].path(folder, name), expected)) is not None
        ]
        damaged += wrong
        if not wrong:
            whole[number] = finished
        if tick is not None:
            tick(1)
    return whole, damaged


def _wrong(path: Path, expected: str) -> str | None:
    """What is wrong with a file of that hash; None where nothing is."""
    if not path.is_file():
        return f"{path} is missing and was rebuilt"
    try:
        digest = file_digest(path)
    except OSError as error:
        return f"{path} could not be read ({error.strerror}) and was rebuilt"
    if digest != expected:
        return f"{path} was damaged (its hash is not that of the manifest) and was rebuilt"
    return None


def _write_one(
    reader: Reader, tokens: Sequence[TextTokens], folder: Path, plan: Plan, shard: Shard
) -> Finished:
    """Read the texts of a shard and write its files."""
    store = ActivationStore()
    left_out: dict[str, list[LeftOut]] = {name: [] for name in plan.dictionaries}
    for read in reader.read(tokens[shard.first : shard.last]):
        store.add(read)
        for name, seen in read.activations.items():
            left_out[name].append(seen.left_out)
    hashes = {}
    for name in plan.dictionaries:
        found = store.firings(name)
        text = found.text + np.int32(shard.first)
        path = shard.path(folder, name)
        firings = Firings(text, found.position, found.feature, found.activation)
        try:
            write_shard(path, firings, plan.precision)
        except CannotWrite as error:
            raise CannotWrite(path, error.reason, STILL_THERE) from error
        hashes[name] = file_digest(path)
        store.drop(name)
    return Finished(
        hashes, {name: counted(reader.model, tokens) for name, tokens in left_out.items()}
    )


def _first(hashes: dict[str, str]) -> str:
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
