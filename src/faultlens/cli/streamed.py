"""`faultlens profile --streaming` and `--store`: a corpus that is larger than memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faultlens.cli.corpora import BUILT_IN, CorpusColumns
from faultlens.cli.lens import open_lens
from faultlens.cli.matrices import refuse_reading
from faultlens.cli.options import Invocation, flag
from faultlens.cli.run import begin, record_lens, run_claimed
from faultlens.cli.run_options import RunOptions
from faultlens.cli.screen import progress_bars, say, say_json, warn
from faultlens.config import options
from faultlens.errors import UserError
from faultlens.models.lens_config import LensConfig
from faultlens.profiling.config import ChanceConfig, ProfileConfig
from faultlens.scale.config import SpreadConfig

if TYPE_CHECKING:
    from faultlens.corpus.text_source import TextSource
    from faultlens.features.dataset.reading import ActivationDataset
    from faultlens.features.streaming import FeatureStatistics
    from faultlens.profiling.result.streamed import FiringSpecialist, StreamedProfile
    from faultlens.runs.claim import Claim
    from faultlens.runs.folder import Manifest

MEANINGLESS = ("features", "pooled", "pairs", "labels", "multiverse", "threshold", "seed",
               "pooling", *options(ChanceConfig))  # fmt: skip
"""Options of a profile that need a number for every text."""


@dataclass(frozen=True)
class StreamingOptions:
    """A corpus larger than memory."""

    streaming: bool = False
    """Hold statistics alone, in one pass: maxima, and on how many texts of each category a feature
    fires, with exact tests. No text, table or activation is kept."""
    store: str | None = None
    """The same from the store that `faultlens read` wrote of this corpus (a folder or URL), without
    a model."""

    @property
    def wanted(self) -> bool:
        return self.streaming or self.store is not None


def profile_streamed(
    corpus: str,
    columns: CorpusColumns,
    lens: LensConfig,
    config: ProfileConfig,
    streaming: StreamingOptions,
    spread: SpreadConfig,
    run: RunOptions,
    call: Invocation,
) -> None:
    """Read the corpus once, or its store, and say what the statistics show."""
    from faultlens.features.dataset.statistics_checkpoint import StatisticsCheckpoint

    meaningless = _refuse(streaming, call)
    with run_claimed(run.out, run.overwrite) as claim:
        source = _source(corpus, columns)
        warn(source.notes)
        manifest = begin(call, meaningless)
        work = None if claim is None else claim.work
        with progress_bars() as bars, spread.opened(lens.threads, lens.device) as workers:
            if streaming.store is None:
                found = _of_model(lens, config, spread, workers, source, manifest, work, bars)
            else:
                found = _of_store(streaming.store, workers, source, manifest, work, bars)
        statistics, conventions, warnings = found
        result = _profile(source, statistics, conventions, config, [*source.notes, *warnings])
        warn(warnings)
        if claim is not None:
            _write(claim, manifest, result, statistics)
            StatisticsCheckpoint(work).forget()
        if run.json:
            say_json(result.to_dict())
        else:
            say(list(_lines(result)))


Found = tuple["Mapping[str, FeatureStatistics]", "Mapping[str, Mapping[str, Any]]", "list[str]"]


def _of_model(
    lens: LensConfig,
    config: ProfileConfig,
    spread: SpreadConfig,
    workers: Any,
    source: TextSource,
    manifest: Manifest,
    work: Path | None,
    bars: Any,
) -> Found:
    import faultlens as fl
    from faultlens.features.dataset.statistics import corpus_statistics

    if spread.ray is not None and lens.threads is None:
        lens = replace(lens, threads=1)
    opened = open_lens(lens, config.reading.fit_check, bars)
    opened.require_dictionaries("a profile")
    record_lens(manifest, opened)
    statistics = corpus_statistics(
        opened, source, long=config.long, workers=workers, work=work, progress=bars,
        open_lens=None if spread.ray is None else partial(fl.load, config=lens),
    )  # fmt: skip
    conventions = {d.name: d.convention.to_dict() for d in opened.dictionaries}
    manifest.inputs["corpus"] = {"name": source.name, "texts": str(len(source))}
    return statistics, conventions, opened.warnings


def _of_store(
    name: str, workers: Any, source: TextSource, manifest: Manifest, work: Path | None, bars: Any
) -> Found:
    from faultlens.features.dataset.reading import ActivationDataset
    from faultlens.features.dataset.statistics import store_statistics
    from faultlens.runs.location import located

    store: ActivationDataset = ActivationDataset.open(located(name))
    manifest.inputs["store"] = {"name": name, "digest": store.plan.corpus["digest"]}
    statistics = store_statistics(store, source, workers=workers, work=work, progress=bars)
    conventions = {n: of["convention"] for n, of in store.plan.dictionaries.items()}
    return statistics, conventions, []


def _profile(
    source: TextSource,
    statistics: Mapping[str, FeatureStatistics],
    conventions: Mapping[str, Mapping[str, Any]],
    config: ProfileConfig,
    warnings: list[str],
) -> StreamedProfile:
    from faultlens.profiling.streamed import streamed_profile

    top_k, alpha = config.measures.top_k, config.alpha
    return streamed_profile(source.name, statistics, conventions, top_k, alpha, warnings)


def _source(name: str, columns: CorpusColumns) -> TextSource:
    from faultlens.corpus.text_source import TextSource
    from faultlens.corpus.texts import BUILT_IN as FILE

    if name == BUILT_IN:
        return replace(TextSource.open(FILE, labelled=True), name=BUILT_IN)
    return TextSource.open(name, columns.text, columns.label, labelled=True)


def _refuse(streaming: StreamingOptions, call: Invocation) -> tuple[str, ...]:
    """The names of the options that mean nothing in this call."""
    beside = "--store" if streaming.store is not None else "--streaming"
    for name in MEANINGLESS:
        if name in call.given:
            raise UserError(
                f"{flag(name)} needs a number for every text, which {beside} does not keep: leave "
                "out one of them"
            )
    meaningless = MEANINGLESS
    if streaming.store is not None:
        meaningless += refuse_reading(call, "--store")
    return meaningless


def _write(
    claim: Claim,
    manifest: Manifest,
    result: StreamedProfile,
    statistics: Mapping[str, FeatureStatistics],
) -> None:
    """A run folder: streamed.json, and a table of all features by category."""
    import pandas as pd

    from faultlens.runs.files import file_name, new_file

    with claim.filled() as folder:
        result.save(folder)
        (folder / "tables").mkdir()
        for name, kept in statistics.items():
            frames = []
            for group, category in enumerate(kept.groups):
                frames.append(
                    pd.DataFrame(
                        {
                            "category": category,
                            "feature": range(kept.total.shape[1]),
                            "texts_firing": kept.texts_firing[group],
                            "tokens_firing": kept.tokens_firing[group],
                            "total": kept.total[group],
                            "squares": kept.squares[group],
                            "maximum": kept.maximum[group],
                            "text": kept.example_text[group, :, 0],
                            "position": kept.example_position[group, :, 0],
                        }
                    )
                )
            with new_file(folder / "tables" / f"{file_name(name)}.parquet") as file:
                pd.concat(frames).query("texts_firing > 0").to_parquet(file, index=False)
        manifest.write(folder)


def _lines(result: StreamedProfile) -> Iterator[str]:
    yield f"{result.n_texts:,} texts of {result.corpus}, by whether features fire on them:"
    for name, site in result.sites.items():
        yield f"{name}: {site.firing:,} of {site.d_sae:,} features fire"
        for category, reading in site.categories.items():
            yield f"  {category} ({reading.texts:,} texts): {_said(reading.selective, result)}"


def _said(found: FiringSpecialist, result: StreamedProfile) -> str:
    beyond = "beyond chance" if found.p_bonferroni <= result.alpha else "not beyond chance"
    return (
        f"{found.feature} fires on {found.inside:,} of them and {found.outside:,} others "
        f"(AUROC {found.auroc:.3f}, p {found.p_bonferroni:.2g} after Bonferroni: {beyond})"
    )
