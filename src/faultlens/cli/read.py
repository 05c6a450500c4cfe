"""`faultlens read`: the activations of every token of a corpus, as a Parquet dataset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

from faultlens.cli.corpora import CORPORA, TextColumn, open_named_texts
from faultlens.cli.lens import FitCheckOption, open_lens
from faultlens.cli.run_options import JsonOption
from faultlens.cli.screen import progress_bars, say, say_json, warn
from faultlens.errors import Interrupted
from faultlens.features.dataset.config import DatasetConfig
from faultlens.models.lens_config import LensConfig
from faultlens.scale.config import SpreadConfig


@dataclass(frozen=True)
class StoreOptions:
    """Where the store is."""

    out: str
    """Folder of the store, new or begun before; or a URL (`s3://bucket/store`) of a file system
    that fsspec knows."""


def read(
    corpus: Annotated[str, CORPORA],
    store: StoreOptions,
    column: TextColumn,
    lens: LensConfig,
    check: FitCheckOption,
    config: DatasetConfig,
    spread: SpreadConfig,
    result: JsonOption,
) -> None:
    """Write every token's activations to a store; stopped or killed, the same command goes on.

    STORE/NAME/*.parquet hold text_id, position, feature, activation; STORE/manifest.json says what
    they are of. A damaged file is named and rebuilt.
    """
    import faultlens as fl
    from faultlens.features.dataset.writing import check_folder, write_dataset
    from faultlens.features.reading_notes import sentences_of
    from faultlens.runs.location import located

    out = located(store.out)
    check_folder(out)
    texts = open_named_texts(corpus, column)
    try:
        with progress_bars() as bars, spread.opened(lens.threads, lens.device) as workers:
            if spread.ray is not None and lens.threads is None:
                lens = replace(lens, threads=1)
            done = write_dataset(
                open_lens(lens, check.fit_check, bars),
                texts,
                out,
                long=config.long,
                precision=config.precision,
                encoding=config.encoding,
                workers=workers,
                open_lens=None if spread.ray is None else partial(fl.load, config=lens),
                progress=bars,
            )
    except KeyboardInterrupt:
        kept = f"what was read is kept in {store.out}; the same command goes on from there"
        raise Interrupted(kept if out.exists() else "nothing was read yet") from None
    warn([*done.rebuilt, *(f"no feature of {name} fires on any token" for name in done.silent)])
    if result.json:
        say_json({"store": store.out, "shards": done.shards, "kept": done.kept,
                  "rebuilt": list(done.rebuilt), "texts": len(texts),
                  "silent": list(done.silent), "left_out": done.left_out})  # fmt: skip
    else:
        before = f", there before: {done.kept}" if done.kept else ""
        what = f"{len(texts):,} texts in {store.out}, shards: {done.shards}{before}"
        say([what, *sentences_of(done.left_out)])
