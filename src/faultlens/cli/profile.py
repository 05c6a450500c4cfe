"""`faultlens profile`: which features go with which kind of text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faultlens.cli import options as o
from faultlens.cli.screen import progress_bars
from faultlens.errors import UserError

if TYPE_CHECKING:
    from faultlens.corpus.texts import Corpus

BUILT_IN = "seven-categories"


def profile(
    corpus: Annotated[str, typer.Argument(help=f"JSONL with text and category, or {BUILT_IN}")],
    model: o.ModelName = "mini",
    sae: o.SaeName = None,
    layers: o.Layers = None,
    sites: o.Sites = None,
    features: o.Features = None,
    pooled: o.Pooled = None,
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
    from faultlens.cli.brought import brought_tables
    from faultlens.cli.run import Findings, finish, record_lens

    texts = _corpus(corpus, label)
    manifest = Manifest.begin({name: str(v) for name, v in given.items() if v is not None})
    manifest.inputs["corpus"] = {"name": texts.name, "digest": texts.digest}
    with progress_bars() as bars:
        store = None
        if features:
            if pooled is None:
                raise UserError(
                    "--features needs --pooled: say how the matrices were pooled, e.g. mean"
                )
            tables = brought_tables(features, texts.texts, pooled)
            manifest.inputs["features"] = {
                name: file_digest(Path(table.convention["source"]))
                for name, table in tables.items()
            }
        else:
            from faultlens.features.store import ActivationStore

            lens = fl.load(model, sae, o.parse_layers(layers), o.parse_sites(sites))
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
