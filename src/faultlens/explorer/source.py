"""What is explored: a run folder, or a store of firings, opened for looking only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from faultlens.auditing.result.audit import Audit
from faultlens.errors import UserError
from faultlens.explorer.firings import FiringTable
from faultlens.explorer.loaded_lens import LoadedLens
from faultlens.explorer.texts import CorpusTexts, PromptTexts, Texts
from faultlens.features.dataset.reading import ActivationDataset
from faultlens.profiling.result import Profile
from faultlens.report.feature_names import FeatureNames, read_feature_names
from faultlens.report.prompt_readings import read_prompts
from faultlens.runs.files import file_name, read_object
from faultlens.runs.folder import AUDIT, MANIFEST, PROFILE, read_manifest, read_result, written_file
from faultlens.runs.location import is_local

ReadTexts = Callable[[str], Sequence[str]]
"""From the digest that a corpus had to its texts. Raises UserError if they are not there."""


@dataclass(frozen=True, eq=False)
class Collection:
    """Some texts, and where the features of some dictionaries fire on them.

    Attributes:
        title: what the texts are.
        size: how many there are.
        firings: where features fire.
        texts: what they say.
    """

    title: str
    size: int
    firings: FiringTable
    texts: Texts


@dataclass(frozen=True, eq=False)
class Source:
    """What is explored.

    Attributes:
        folder: where it lies.
        collections: the texts that features were read on.
        widths: by dictionary, how many features it has; None where that is not recorded.
        lens: the model and its dictionaries, on demand; None: there is none.
        audit, profile: the results of a run.
        names: what is known of features beside them.
        plain_prompts: whether the prompts of the audit are plain text, and no conversations.
    """

    folder: Path
    collections: tuple[Collection, ...]
    widths: Mapping[str, int | None]
    lens: LoadedLens | None
    audit: Audit | None = None
    profile: Profile | None = None
    names: FeatureNames = field(default_factory=FeatureNames)
    plain_prompts: bool = True
    foils: Sequence[str | None] = ()

    def check_feature(self, name: str, index: int) -> None:
        """Raises UserError for a dictionary or a feature that there is not."""
        if name not in self.widths:
            raise UserError(
                f"there is no dictionary {name!r} here: expected one of {', '.join(self.widths)}"
            )
        width = self.widths[name]
        if index < 0 or (width is not None and index >= width):
            last = "" if width is None else f" to {width - 1:,}"
            raise UserError(f"{name} has the features 0{last}, and no {index:,}")


def open_source(
    folder: Path, open_lens: Callable[[Mapping[str, Any]], Any], read_texts: ReadTexts
) -> Source:
    """A run or a store, for looking.

    Args:
        folder: of a run or of a store; a store's may be a URL (`runs.location`).
        open_lens: from the manifest to the lens; called when it is first needed.
        read_texts: from a corpus's digest to its texts; called when they are first needed.

    Raises:
        UserError: there is neither in the folder, one that is damaged, or one without firings.
    """
    if not folder.is_dir():
        raise UserError(f"no folder {folder}: expected the folder of a run or of a store")
    record = read_object(folder / MANIFEST)
    if record is None or "plan" in record:
        if record is None and any((folder / name).is_file() for name in (AUDIT, PROFILE)):
            raise UserError(
                f"{folder} has no {MANIFEST}, which says what its activations are of: run the "
                "study again with --out"
            )
        return _store(folder, open_lens, read_texts)
    if not is_local(folder):
        raise UserError(f"{folder} holds no store, and a run is explored in a folder: copy it")
    return _run(folder, open_lens, read_texts)


def _store(
    folder: Path, open_lens: Callable[[Mapping[str, Any]], Any], read_texts: ReadTexts
) -> Source:
    dataset = ActivationDataset.open(folder)
    plan = dataset.plan
    files = {name: [s.path(folder, name) for s in plan.shards] for name in dataset.names}
    missing = [path for paths in files.values() for path in paths if not path.is_file()]
    if missing:
        raise UserError(
            f"{missing[0]} is missing, and the store's manifest lists it: run the command that "
            "made the store again, which rebuilds it"
        )
    _require_firings(folder, files)
    lens = LoadedLens(lambda: open_lens({"plan": plan.to_dict()}))
    texts = CorpusTexts(lambda: read_texts(plan.corpus["digest"]), lens, plan.long)
    return Source(
        folder,
        (Collection("The texts of the store", plan.corpus["texts"], FiringTable(files), texts),),
        {name: of["d_sae"] for name, of in plan.dictionaries.items()},
        lens,
    )


def _require_firings(folder: Path, files: Mapping[str, Sequence[Path]]) -> None:
    try:
        rows = [_rows(path) for paths in files.values() for path in paths]
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} cannot be read as Parquet: {error}") from error
    if not sum(rows):
        raise UserError(f"{folder} holds no firings: there is nothing to explore")


def _rows(path: Path) -> int:
    """Rows of a Parquet file, of this machine or at a URL."""
    with path.open("rb") as opened:
        return int(pq.read_metadata(opened).num_rows)


def _run(
    folder: Path, open_lens: Callable[[Mapping[str, Any]], Any], read_texts: ReadTexts
) -> Source:
    manifest = read_manifest(folder) or {}
    audit = _read(Audit, folder, AUDIT)
    profile = _read(Profile, folder, PROFILE)
    if audit is None and profile is None:
        raise UserError(
            f"{folder} holds neither {PROFILE} nor {AUDIT}: expected the folder of a run"
        )
    sites = {**(profile.sites if profile else {}), **(audit.sites if audit else {})}
    has_model = isinstance(manifest.get("inputs"), Mapping) and manifest["inputs"].get("model")
    lens = LoadedLens(lambda: open_lens(manifest)) if has_model else None
    collections = []
    if audit is not None and (files := _activations(folder, "task", audit.sites)):
        prompts = PromptTexts(audit, read_prompts(folder, ()).tokens)
        title = f"The prompts of {audit.task}"
        collections.append(Collection(title, audit.n, FiringTable(files), prompts))
    if profile is not None and (files := _activations(folder, "corpus", profile.sites)):
        digest = _corpus_digest(manifest)
        long: Any = manifest.get("arguments", {}).get("long", "error")
        if lens is not None:
            texts = CorpusTexts(lambda: read_texts(digest), lens, long)
            title = f"The texts of {profile.corpus}"
            collections.append(Collection(title, profile.n_texts, FiringTable(files), texts))
    if not collections and lens is None:
        raise UserError(
            f"{folder} holds no activations and was made without a model, so there is nothing to "
            "explore: its report is report.html"
        )
    return Source(
        folder, tuple(collections), {name: site.d_sae for name, site in sites.items()}, lens,
        audit, profile, read_feature_names(folder, dict(manifest)),
        plain_prompts=manifest.get("arguments", {}).get("chat") != "True",
        foils=_foils(folder, audit),
    )  # fmt: skip


def _read(kind: Any, folder: Path, name: str) -> Any:
    data = read_result(folder, name)
    try:
        return None if data is None else kind.from_dict(data)
    except UserError as error:
        raise UserError(f"{folder / name}: {error}") from error


def _activations(folder: Path, of: str, sites: Mapping[str, Any]) -> dict[str, list[Path]]:
    """By dictionary the file of its firings, as the run wrote it."""
    written = {
        name: written_file(folder, f"activations/{of}/{file_name(name)}.parquet") for name in sites
    }
    return {name: [path] for name, path in written.items() if path is not None}


def _corpus_digest(manifest: Mapping[str, Any]) -> str:
    inputs = manifest.get("inputs") or {}
    corpus = inputs.get("corpus")
    return str(corpus.get("digest", "")) if isinstance(corpus, Mapping) else ""


def _foils(folder: Path, audit: Audit | None) -> list[str | None]:
    """The foil of each prompt; empty where the run did not keep them."""
    path = None if audit is None else written_file(folder, "tables/prompts.parquet")
    if path is None or "foil" not in pq.read_schema(path).names:
        return []
    found: list[str | None] = pq.read_table(path, columns=["foil"]).column("foil").to_pylist()
    return found
