"""Writing a dataset: shard by shard, each whole or not there; killed at any moment, it goes on.

    STORE/unfinished/plan.json         before the first shard; gone when all are there
    STORE/NAME/00000.parquet           a dictionary's firings on a range of texts
    STORE/unfinished/00000.json        the hashes of a shard's files, once all of them are there
    STORE/manifest.json                at the end: the plan and every file's hash

The finished folder holds nothing that depends on when it was made or how often it was begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from faultlens.corpus.text_source import Texts
from faultlens.errors import UserError
from faultlens.features.dataset.config import DatasetConfig, Precision
from faultlens.features.dataset.plan import Plan
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
from faultlens.features.dataset.shard import firings_in
from faultlens.features.dataset.shard_work import (
    UNFINISHED,
    ShardReader,
    ShardWriting,
    jobs_of,
    record_path,
    threads_restored,
)
from faultlens.features.dataset.survey import Survey
from faultlens.features.lens import Lens
from faultlens.features.reading_config import LONG, AskedEncoding, Long
from faultlens.progress import SILENT, Progress
from faultlens.runs.files import file_digest, remove_parts, write_json, writing
from faultlens.runs.lock import held
from faultlens.scale.workers import ALONE, Workers

MANIFEST, PLAN = "manifest.json", "plan.json"
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
    texts: Texts,
    folder: Path,
    *,
    long: Long = LONG,
    precision: Precision = DatasetConfig.precision,
    encoding: AskedEncoding | None = None,
    shard_tokens: int = SHARD_TOKENS,
    workers: Workers = ALONE,
    open_lens: Callable[[], Lens] | None = None,
    progress: Progress = SILENT,
) -> Written:
    """Write the activations of all tokens of `texts`; go on where an earlier call was cut off.

    Args:
        lens: what to read through.
        texts: the corpus; a text's number is its place in it. None of them is held.
        folder: where to, a folder or a URL (`located`); it must not exist, be empty, or hold a
            dataset of the same kind.
        long: what to do with a text longer than the context.
        precision: of the activations on disk.
        encoding: how sites' values are encoded; None: as the lens says. A dataset that is there
            keeps its own, its own shapes of passes and its own number of threads.
        shard_tokens: tokens of a shard; likewise.
        workers: who reads the shards; whoever does, the files are the same.
        open_lens: gives each worker on another machine the same lens; picklable. None: all of it is
            done here.
        progress: told of the tokens that were read.

    Raises:
        UserError: a text that cannot be read; a folder that holds something else, or a dataset of
            another model, dictionary, convention or corpus; a dataset that is being written.
    """
    survey = Survey.of(lens, texts, long, shard_tokens, progress)
    begun = _begun(folder)
    shapes = begun.shapes if begun else lens.shapes(survey.first, encoding, survey.tokens)
    plan = Plan.of(lens, survey, long, precision, shapes)
    if begun is not None:
        begun.check_same(plan, folder)
        plan = begun
    how = ShardReader(open_lens or (lambda: lens), plan, survey.first)
    with _held(folder), threads_restored():
        return _fill(how, texts, folder, workers if open_lens else ALONE, progress)


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
    how: ShardReader, texts: Texts, folder: Path, workers: Workers, progress: Progress
) -> Written:
    plan, unfinished = how.plan, folder / UNFINISHED
    homes = [plan.shards[0].path(folder, name).parent for name in plan.dictionaries]
    for home in (folder, unfinished, *homes):
        remove_parts(home)
    recorded = not (folder / MANIFEST).exists()
    if recorded:
        write_json(unfinished / PLAN, {"plan": plan.to_dict()})
    before = _recorded(folder, plan)
    whole, damaged = _there(folder, plan, before, progress)
    kept = len(whole)
    tick = progress.start("Reading the tokens", plan.corpus["tokens"])
    tick(sum(plan.shards[number].tokens for number in whole))
    jobs = jobs_of(texts, plan.shards, list(whole))
    if kept < len(plan.shards):
        place = folder.absolute()  # workers may have another working folder
        for done in workers.results(ShardWriting(how, place, recorded), jobs):
            whole[done.shard.number] = made = done.finished
            had = before.get(done.shard.number, made)
            if had.hashes != made.hashes:
                damaged.append(
                    f"shard {done.shard.number} of {folder} was rebuilt with other bytes than it "
                    f"had: {_first(had.hashes)} before, {_first(made.hashes)} now"
                )
            tick(done.shard.tokens)
    write_json(folder / MANIFEST, manifest_of(plan, whole, folder))
    for path in (unfinished / PLAN, *(record_path(folder, shard) for shard in plan.shards)):
        path.unlink(missing_ok=True)
    left_out = total_left_out([whole[shard.number] for shard in plan.shards], plan)
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
        path = record_path(folder, shard)
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


def _first(hashes: dict[str, str]) -> str:
    return ", ".join(digest[:12] for digest in hashes.values())


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The folder, to one process at a time; its lock goes when the process ends, or dies."""
    with held(folder / UNFINISHED, folder):
        yield
