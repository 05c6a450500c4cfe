"""`faultlens explore`: a local web page over a run or a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from faultlens.checks import check_whole
from faultlens.cli.corpora import (
    CorpusColumns,
    TextColumn,
    read_named_corpus,
    read_named_texts,
)
from faultlens.cli.lens import load_lens
from faultlens.cli.lens_of_run import open_lens_of_run
from faultlens.cli.options import Invocation
from faultlens.cli.screen import progress_bars, say
from faultlens.corpus.texts import LABEL, TEXT
from faultlens.errors import UserError
from faultlens.models.lens_config import ALL, LensConfig

if TYPE_CHECKING:
    from faultlens.features.lens import Lens


@dataclass(frozen=True)
class ExploreOptions:
    """What is shown, and where."""

    port: int = 8765
    """Port on this machine; 0: any that is free."""
    corpus: str | None = None
    """The texts that a store, or a profile, is of: their tokens are then shown. Of a run by default
    those that it names."""

    def __post_init__(self) -> None:
        check_whole("--port", self.port, 0, 65535)


def explore(
    folder: Annotated[str, "A run folder, or a store of faultlens read, which may be at a URL"],
    *,
    options: ExploreOptions,
    column: TextColumn,
    config: LensConfig,
    call: Invocation,
) -> None:
    """Look around in a run or a store with a browser, on this machine alone.

    Look a feature up: how often it fires, how strongly, its strongest examples. Type a text and see
    what fires at each token. Edit a class on a prompt and see the answer beside its controls. The
    model is loaded when it is first needed: the one that the run or the store names, or the one
    named here. Nothing is written. Ctrl-C ends it.
    """
    _require_packages()
    from faultlens.explorer.server import listen
    from faultlens.explorer.source import open_source
    from faultlens.runs.location import located

    path = located(folder)
    given = {name for name in LensConfig.__dataclass_fields__ if name in call.given}
    source = open_source(
        path,
        lambda manifest: _lens(path, manifest, config, given),
        lambda digest: _texts(path, options.corpus, column, digest),
    )
    listening = listen(source, options.port)
    say([f"Exploring {path} at {listening.address}", "Ctrl-C ends it; nothing is written."])
    try:
        listening.run()
    except KeyboardInterrupt:  # how it is meant to end
        return


def _require_packages() -> None:
    """Raises UserError where what the explorer needs is not installed."""
    from importlib.util import find_spec

    missing = [name for name in ("starlette", "uvicorn", "duckdb") if find_spec(name) is None]
    if missing:
        raise UserError(
            f"faultlens explore needs {', '.join(missing)}: pip install 'faultlens[explore]'"
        )


def _lens(path: Path, manifest: Mapping[str, Any], config: LensConfig, given: set[str]) -> Lens:
    """The model of a run by its manifest; of a store, or where one is named, by the options."""
    if "plan" not in manifest and not given:
        return open_lens_of_run(path, manifest)
    plan = manifest.get("plan")
    if plan is not None:
        named = plan["model"]["name"]
        if "model" not in given and named != config.model:
            config = replace(config, model=named)
        if "sites" not in given:
            config = replace(config, sites=(ALL,))
    with progress_bars() as bars:
        lens = load_lens(config, bars)
    if plan is None:
        return lens
    for dictionary in lens.dictionaries:
        of = plan["dictionaries"].get(dictionary.name)
        if of is not None and of["digest"] != dictionary.digest:
            raise UserError(
                f"the dictionary {dictionary.name} is not the one that {path} was read through: "
                "name that one with --sae"
            )
    if lens.model.digest != plan["model"]["digest"]:
        raise UserError(
            f"the model {lens.model.name} is not the one that {path} was read with: name that one "
            "with --model"
        )
    known = tuple(d for d in lens.dictionaries if d.name in plan["dictionaries"])
    return replace(lens, dictionaries=known)


def _texts(path: Path, named: str | None, column: TextColumn, digest: str) -> Sequence[str]:
    """The texts that activations are of. Raises UserError if they are not named, or are others."""
    from faultlens.features.dataset.survey import Survey
    from faultlens.runs.files import read_object
    from faultlens.runs.folder import MANIFEST

    record = read_object(path / MANIFEST) or {}
    arguments = record.get("arguments") or {}
    named = named or arguments.get("corpus")
    if named is None:
        raise UserError("name the corpus that it is of with --corpus")
    if "plan" in record:
        texts: Sequence[str] = read_named_texts(named, column)
        found = Survey.digest_of(texts)
    else:
        columns = CorpusColumns(arguments.get("text", TEXT), arguments.get("label", LABEL))
        corpus = read_named_corpus(named, columns)
        texts, found = corpus.texts, corpus.digest
    if found != digest:
        raise UserError(f"the corpus {named} holds other texts than the ones that were read")
    return texts
