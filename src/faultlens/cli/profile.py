"""`faultlens profile`: which features go with which kind of text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faultlens.cli import options as o
from faultlens.cli.screen import progress_bars
from faultlens.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultlens.corpus.texts import Corpus
    from faultlens.features.table import FeatureTable

BUILT_IN = "seven-categories"


def profile(
    corpus: Annotated[str, typer.Argument(help=f"JSONL with text and category, or {BUILT_IN}")],
    model: o.ModelName = "mini",
    sae: o.SaeName = None,
    layers: o.Layers = None,
    sites: o.Sites = None,
    release: o.Release = None,
    convention: o.Conventions = None,
    device: o.Device = "cpu",
    dtype: o.Dtype = "float32",
    revision: o.Revision = None,
    trust_pickle: o.TrustPickle = False,
    fit_check: o.FitCheck = True,
    features: Annotated[
        list[str] | None,
        typer.Option(help="SITE=FILE: a matrix [texts, features] in place of a model; repeatable"),
    ] = None,
    pooled: Annotated[
        str | None, typer.Option(help="How the matrices of --features were pooled")
    ] = None,
    pooling: o.Pooling = "max",
    threshold: Annotated[
        float | None,
        typer.Option(help="τ of the score [default: 99.5th percentile of positive values]"),
    ] = None,
    label: Annotated[str, typer.Option(help="Column that holds the category")] = "category",
    long: o.Long = "error",
    permutations: o.Permutations = 10_000,
    seed: o.Seed = 0,
    out: o.Out = None,
    overwrite: o.Overwrite = False,
    json: o.AsJson = False,
) -> None:
    """Which features go with which kind of text, and which of them beat chance."""
    given = {name: value for name, value in locals().items() if name != "json"}
    from faultlens.runs.files import file_digest
    from faultlens.runs.folder import Manifest, check_target

    if out is not None:
        check_target(out, overwrite)
    import faultlens as fl
    from faultlens.cli.lens import open_lens
    from faultlens.cli.run import Findings, finish, record_lens

    texts = _corpus(corpus, label)
    manifest = Manifest.begin({name: str(v) for name, v in given.items() if v is not None})
    manifest.inputs["corpus"] = {"name": texts.name, "digest": texts.digest}
    with progress_bars() as bars:
        store = None
        if features:
            tables = _brought(features, texts.texts, pooled)
            manifest.inputs["features"] = {
                name: file_digest(Path(table.convention["source"]))
                for name, table in tables.items()
            }
        else:
            from faultlens.features.store import ActivationStore

            lens = open_lens(given, bars)
            record_lens(manifest, lens)
            store = ActivationStore() if out is not None else None
            tick = bars.start("Reading texts", len(texts))
            tables = lens.read(texts.texts, pooling, long, tick, store)
        result = fl.profile(
            tables,
            texts,
            threshold=threshold,
            permutations=permutations,
            seed=seed,
            progress=bars,
        )
    found = Findings(profile=result, tables=tables, corpus_read=store)
    finish(out, manifest, found, overwrite, json)


def _corpus(name: str, label: str) -> Corpus:
    from faultlens.corpus.texts import read_corpus, seven_categories

    return seven_categories() if name == BUILT_IN else read_corpus(Path(name), label)


def _brought(
    features: Sequence[str], texts: Sequence[str], pooled: str | None
) -> dict[str, FeatureTable]:
    from faultlens.features.pooling import Pooling
    from faultlens.features.table import table_from_matrix

    if pooled is None:
        raise UserError("--features needs --pooled: say how the matrices were pooled, e.g. mean")
    tables = {}
    for pair in features:
        name, equals, path = pair.partition("=")
        if not (name and equals and path) or "/" in name:
            raise UserError(f"--features {pair!r}: expected SITE=FILE, e.g. 6-res-jb=layer06.npz")
        if name in tables:
            raise UserError(f"--features {pair!r}: {name} is given twice")
        tables[name] = table_from_matrix(name, Path(path), texts, str(Pooling.parse(pooled)))
    return tables
