"""`faultlens profile`: which features go with which kind of text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from faultlens.cli.corpora import CORPORA, CorpusColumns, read_named_corpus
from faultlens.cli.lens import open_lens
from faultlens.cli.matrices import MatrixOptions, read_tables, refuse_reading
from faultlens.cli.options import Invocation
from faultlens.cli.run import (
    Findings,
    begin,
    finish,
    identity,
    record_lens,
    run_claimed,
)
from faultlens.cli.run_options import LabelOptions, RunOptions
from faultlens.cli.screen import progress_bars, warn
from faultlens.cli.streamed import StreamingOptions, profile_streamed
from faultlens.errors import UserError
from faultlens.models.lens_config import LensConfig
from faultlens.profiling.config import ProfileConfig
from faultlens.scale.config import SpreadConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faultlens.corpus.pairs import PairSet
    from faultlens.features.lens import Lens
    from faultlens.features.table import FeatureTable

BUILT_IN_PAIRS = "built-in"


@dataclass(frozen=True)
class PairOptions:
    """Minimal pairs, the same meanings in several forms."""

    pairs: str | None = None
    """Whether features follow the meaning or the surface: a JSONL file with topic, form and text a
    line, or `built-in`. Needs a model."""


def profile(
    corpus: Annotated[str, CORPORA],
    columns: CorpusColumns,
    lens: LensConfig,
    matrices: MatrixOptions,
    config: ProfileConfig,
    pairs: PairOptions,
    labels: LabelOptions,
    streaming: StreamingOptions,
    spread: SpreadConfig,
    run: RunOptions,
    call: Invocation,
) -> None:
    """Which features go with which kind of text, and which of them beat chance."""
    if streaming.wanted:
        profile_streamed(corpus, columns, lens, config, streaming, spread, run, call)
        return
    if spread.ray is not None:
        raise UserError("--ray spreads a profile of --streaming or --store: give one of them")
    import faultlens as fl
    from faultlens.features.recorder import Recorder

    meaningless = _refuse_what_does_not_go_together(matrices, config, pairs, call)
    with run_claimed(run.out, run.overwrite) as claim:
        texts, pair_set = read_named_corpus(corpus, columns), _read(pairs)
        warn(texts.warnings)
        manifest = begin(call, meaningless)
        manifest.inputs["corpus"] = identity(texts)
        with progress_bars() as bars:
            source: Lens | Mapping[str, FeatureTable]
            recorder = Recorder()
            if matrices.features:
                source = recorder.tables = read_tables(matrices, texts.texts, manifest)
                named = labels.of(source, manifest)
            else:
                source = open_lens(lens, config.reading.fit_check, bars)
                record_lens(manifest, source)
                named = labels.of((d.name for d in source.dictionaries), manifest)
            if pair_set is not None:
                manifest.inputs["pairs"] = identity(pair_set)
            found = fl.profile(
                source, texts, config=config, pairs=pair_set, recorder=recorder, progress=bars
            )
        warn([said for said in found.warnings if said not in texts.warnings])
        read = None if matrices.features else recorder.activations
        finish(claim, manifest, Findings(found, recorder.tables, read, labels=named), run.json)


def _refuse_what_does_not_go_together(
    matrices: MatrixOptions, config: ProfileConfig, pairs: PairOptions, call: Invocation
) -> tuple[str, ...]:
    """The names of the options that mean nothing in this call."""
    if not matrices.features:
        matrices.check_pooled()
        return ()
    if pairs.pairs is not None or config.multiverse:
        raise UserError(
            f"{'--pairs' if pairs.pairs is not None else '--multiverse'} needs a model to read "
            "texts with: leave out --features"
        )
    meaningless = refuse_reading(call, "--features")
    if matrices.pooled is None:
        raise UserError("--features needs --pooled: say how the matrices were pooled, e.g. mean")
    return meaningless


def _read(pairs: PairOptions) -> PairSet | None:
    from faultlens.corpus.pairs import minimal_pairs, read_pairs

    if pairs.pairs is None:
        return None
    return minimal_pairs() if pairs.pairs == BUILT_IN_PAIRS else read_pairs(Path(pairs.pairs))
