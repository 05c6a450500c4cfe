"""`faultlens read`: the activations of every token of a corpus, as a Parquet dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from faultlens.cli import options as o
from faultlens.cli.screen import progress_bars, say, say_json, warn
from faultlens.errors import Interrupted

BUILT_IN = "seven-categories"


def read(
    corpus: Annotated[
        str,
        typer.Argument(help=f"JSONL, CSV, Parquet, a folder of texts, hf:NAME, or {BUILT_IN}"),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the store, new or begun before")],
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
    text: Annotated[str, typer.Option(help="Column that holds the text")] = "text",
    long: o.Long = "error",
    precision: Annotated[
        Literal["float32", "float16"], typer.Option(help="Of the activations on disk")
    ] = "float32",
    encoding: Annotated[
        Literal["auto", "plain", "compiled"],
        typer.Option(help="PyTorch alone, compiled (extra fast), or the quicker of the two"),
    ] = "auto",
    json: o.AsJson = False,
) -> None:
    """Every token's activations, written to a store; stopped or killed, the same command goes on.

    STORE/NAME/*.parquet hold text_id, position, feature, activation; STORE/manifest.json says what
    they are of. A damaged file is named and rebuilt.
    """
    given = dict(locals())
    from faultlens.cli.lens import open_lens
    from faultlens.corpus.texts import read_texts, seven_categories
    from faultlens.features.dataset.writing import check_folder, write_dataset
    from faultlens.features.token_choice import sentences_of

    check_folder(out)
    texts = seven_categories().texts if corpus == BUILT_IN else read_texts(corpus, text)
    try:
        with progress_bars() as bars:
            lens = open_lens(given, bars)
            done = write_dataset(
                lens, texts, out, long=long, precision=precision, encoding=encoding, progress=bars
            )
    except KeyboardInterrupt:
        kept = f"what was read is kept in {out}; the same command goes on from there"
        raise Interrupted(kept if out.exists() else "nothing was read yet") from None
    warn([*done.rebuilt, *(f"no feature of {name} fires on any token" for name in done.silent)])
    if json:
        say_json({"store": str(out), "shards": done.shards, "kept": done.kept,
                  "rebuilt": list(done.rebuilt), "texts": len(texts),
                  "silent": list(done.silent), "left_out": done.left_out})  # fmt: skip
    else:
        before = f", there before: {done.kept}" if done.kept else ""
        say(
            [
                f"{len(texts):,} texts in {out}, shards: {done.shards}{before}",
                *sentences_of(done.left_out),
            ]
        )
