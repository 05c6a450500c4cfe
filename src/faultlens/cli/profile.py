"""`faultlens profile`: which features go with which kind of text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from faultlens.cli import options as o
from faultlens.cli.screen import progress_bars, warn
from faultlens.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultlens.cli.run import Findings
    from faultlens.corpus.pairs import PairSet
    from faultlens.corpus.texts import Corpus
    from faultlens.progress import Progress
    from faultlens.runs.folder import Manifest

BUILT_IN = "seven-categories"
BUILT_IN_PAIRS = "built-in"


class Options(TypedDict):
    """What a profile of tables and one through a lens are both asked."""

    threshold: float | None
    permutations: int
    seed: int
    length_strata: int | None


def profile(
    context: typer.Context,
    corpus: Annotated[
        str,
        typer.Argument(
            help=f"JSONL, CSV, Parquet, a folder of CATEGORY/text files, hf:NAME, or {BUILT_IN}"
        ),
    ],
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
    features: o.Features = None,
    pooled: o.Pooled = None,
    pooling: o.Pooling = "max",
    threshold: Annotated[
        float | None,
        typer.Option(help="τ of the score (by default the 99.5th percentile of positive values)"),
    ] = None,
    label: o.Label = "category",
    text: o.Text = "text",
    long: o.Long = "error",
    length_strata: Annotated[
        int | None,
        typer.Option(help="Shuffle labels only among texts of like length, in so many strata"),
    ] = None,
    pairs: Annotated[
        str | None,
        typer.Option(help=f"Minimal pairs: JSONL with topic, form and text, or {BUILT_IN_PAIRS}"),
    ] = None,
    multiverse: Annotated[
        bool,
        typer.Option(
            "--multiverse",
            help="Every claim under every combination of choices; errors are labelled, and padding "
            "goes up to the longest of eight texts",
        ),
    ] = False,
    permutations: o.Permutations = 10_000,
    seed: o.Seed = 0,
    out: o.Out = None,
    overwrite: o.Overwrite = False,
    json: o.AsJson = False,
) -> None:
    """Which features go with which kind of text, and which of them beat chance."""
    given = {name: v for name, v in locals().items() if name not in ("context", "json")}
    from faultlens.cli.run import Findings, finish, run_claimed
    from faultlens.runs.folder import Manifest

    claim = context.with_resource(run_claimed(out, overwrite))
    from faultlens.profiling.measures import check_threshold

    check_threshold(threshold)
    if features and (pairs is not None or multiverse):
        raise UserError(
            f"{'--pairs' if pairs is not None else '--multiverse'} needs a model to read texts "
            "with: leave out --features"
        )
    if features:
        from faultlens.cli.brought import only_brought

        given = only_brought(context, given, "--features")
    elif pooled is not None:
        raise UserError("--pooled says how the matrices of --features were pooled: give those too")
    texts = read_named_corpus(corpus, label, text)
    pair_set = None if pairs is None else _pairs(pairs)
    warn(texts.warnings)
    manifest = Manifest.begin({name: str(v) for name, v in given.items() if v is not None})
    manifest.inputs["corpus"] = {"name": texts.name, "digest": texts.digest}
    options: Options = {
        "threshold": threshold,
        "permutations": permutations,
        "seed": seed,
        "length_strata": length_strata,
    }
    with progress_bars() as bars:
        if features:
            found = _from_matrices(features, pooled, texts, manifest, options, bars)
        else:
            from faultlens.cli.lens import open_lens
            from faultlens.cli.run import record_lens
            from faultlens.profiling.running import profile_lens

            lens = open_lens(given, bars)
            record_lens(manifest, lens)
            if pair_set is not None:
                manifest.inputs["pairs"] = {"name": pair_set.name, "digest": pair_set.digest}
            run = profile_lens(
                lens, texts, pooling=pooling, pairs=pair_set, multiverse=multiverse, long=long,
                progress=bars, **options,
            )  # fmt: skip
            found = Findings(run.profile, run.tables, run.store)
    assert found.profile is not None
    warn([said for said in found.profile.warnings if said not in texts.warnings])
    finish(claim, manifest, found, json)


def _from_matrices(
    features: Sequence[str],
    pooled: str | None,
    texts: Corpus,
    manifest: Manifest,
    options: Options,
    bars: Progress,
) -> Findings:
    """The profile of matrices that were brought: all but what needs tokens."""
    from faultlens.cli.brought import brought_tables
    from faultlens.cli.run import Findings
    from faultlens.profiling.study import profile_tables
    from faultlens.runs.files import file_digest

    if pooled is None:
        raise UserError("--features needs --pooled: say how the matrices were pooled, e.g. mean")
    tables = brought_tables(features, texts.texts, pooled)
    manifest.inputs["features"] = {
        name: file_digest(Path(table.convention["source"])) for name, table in tables.items()
    }
    return Findings(profile_tables(tables, texts, progress=bars, **options), tables)


def read_named_corpus(name: str, label: str = "category", text: str = "text") -> Corpus:
    """The built-in corpus, or one that the user names."""
    from faultlens.corpus.texts import read_corpus, seven_categories

    return seven_categories() if name == BUILT_IN else read_corpus(name, label, text)


def _pairs(name: str) -> PairSet:
    from faultlens.corpus.pairs import minimal_pairs, read_pairs

    return minimal_pairs() if name == BUILT_IN_PAIRS else read_pairs(Path(name))
