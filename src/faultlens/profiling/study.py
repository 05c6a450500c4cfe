"""The profile study: every step of the argument in order. The only file that calls all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

import numpy as np

from faultlens.corpus.pairs import PairSet
from faultlens.corpus.texts import Corpus
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.features.reading_notes import reading_notes
from faultlens.features.recorder import Recorder
from faultlens.features.store import ActivationStore
from faultlens.features.table import FeatureTable, check_values
from faultlens.profiling.chance import ChanceTests, against_chance, draw_nulls
from faultlens.profiling.config import ProfileConfig
from faultlens.profiling.layers import compare_layers, difficulties
from faultlens.profiling.lengths import length_strata, lengths_by_category, text_lengths
from faultlens.profiling.measures import SiteMeasures
from faultlens.profiling.multiverse.method_study import method_study
from faultlens.profiling.pairs import contrast_pairs
from faultlens.profiling.readings import category_reading, site_reading
from faultlens.profiling.result import (
    MinimalPairs,
    Multiverse,
    Profile,
    SiteReading,
    TokenEvidence,
)
from faultlens.profiling.token_evidence import token_evidence
from faultlens.progress import SILENT, Progress


def profile_tables(
    tables: Mapping[str, FeatureTable],
    corpus: Corpus,
    config: ProfileConfig | None = None,
    progress: Progress = SILENT,
) -> Profile:
    """Profile tables whose rows are the corpus's texts, in its order.

    Args:
        tables: pooled activations `[texts, d_sae]`, by dictionary.
        corpus: the texts and their categories.
        config: how; by default as `ProfileConfig` says.
        progress: told of the stages.

    Raises:
        UserError: no table, one that does not fit the corpus or in which nothing fires, or the
            method study, which needs a model.
    """
    config = config or ProfileConfig()
    if config.multiverse:
        raise UserError(
            "the method study needs a model to read texts with, and tables hold none: give a lens "
            "(--model) in their place"
        )
    return _profile(tables, corpus, config, None, progress)


def profile_lens(
    lens: Lens,
    corpus: Corpus,
    config: ProfileConfig | None = None,
    *,
    pairs: PairSet | None = None,
    recorder: Recorder | None = None,
    progress: Progress = SILENT,
) -> Profile:
    """Profile a corpus through a lens.

    To what tables give, a model adds where the features fire, whether they persist from layer to
    layer, minimal pairs and the method study.

    Args:
        lens: a model and its dictionaries.
        corpus: the texts and their categories.
        config: how; by default as `ProfileConfig` says.
        pairs: minimal pairs to tell meaning from surface by.
        recorder: takes in what is read of the corpus.
        progress: told of the stages.

    Raises:
        UserError: a dictionary does not fit the model, a text cannot be read, or nothing fires.
    """
    config, recorder = config or ProfileConfig(), recorder or Recorder()
    lens = lens.checked(progress) if config.reading.fit_check else lens.unchecked()
    tick = progress.start("Reading texts", len(corpus))
    recorder.tables = lens.read(
        corpus.texts, config.reading.pooling, config.long, tick, recorder.activations
    )
    source = _Source(lens, recorder.activations, pairs, config, progress)
    return _profile(recorder.tables, corpus, config, source, progress)


def _profile(
    tables: Mapping[str, FeatureTable],
    corpus: Corpus,
    config: ProfileConfig,
    source: _Source | None,
    progress: Progress,
) -> Profile:
    """All steps. `source`: what the tables were read through; None: they were brought."""
    _check_tables(tables, corpus)
    threshold, permutations = config.measures.threshold, config.chance.permutations
    measures = {name: SiteMeasures.of(table, threshold) for name, table in tables.items()}
    lengths, unit = text_lengths(tables, corpus)
    asked = config.chance.length_strata
    strata = None if asked is None else length_strata(lengths, asked)
    nulls = draw_nulls(measures, corpus, permutations, config.seed, progress, strata)
    chance = against_chance(measures, corpus, nulls)
    sites = _readings(tables, measures, corpus, chance, config.measures.top_k)
    return Profile(
        corpus=corpus.name,
        n_texts=len(corpus),
        pooling=", ".join(sorted({str(t.convention.get("pooling")) for t in tables.values()})),
        top_k=config.measures.top_k,
        permutations=permutations,
        seed=config.seed,
        alpha=config.alpha,
        lengths=lengths_by_category(lengths, unit, corpus),
        sites=sites,
        difficulty=difficulties(sites, config.alpha),
        length_strata=_distinct(strata),
        warnings=[
            *corpus.warnings,
            *_fewer_strata(asked, strata),
            *_too_few_permutations(len(sites) * len(corpus.categories), config),
            *([] if source is None else source.lens.warnings),
            *reading_notes(tables),
        ],
        layers=compare_layers(sites, {} if source is None else source.decoders),
        tokens=None if source is None else source.tokens(corpus, sites),
        pairs=None if source is None else source.minimal_pairs(),
        multiverse=None if source is None else source.multiverse(corpus, strata, len(tables)),
    )


@dataclass(frozen=True, eq=False)
class _Source:
    """What a corpus was read through, and what only a model at hand can tell of it."""

    lens: Lens
    activations: ActivationStore
    pairs: PairSet | None
    config: ProfileConfig
    progress: Progress

    @property
    def decoders(self) -> dict[str, np.ndarray]:
        """The features' directions `[d_sae, d_in]`, by dictionary."""
        return {d.name: d.W_dec.detach().float().cpu().numpy() for d in self.lens.dictionaries}

    def tokens(self, corpus: Corpus, sites: Mapping[str, SiteReading]) -> TokenEvidence:
        """Where the features that stand out fire."""
        return token_evidence(self.lens, corpus, self.activations, self.config.long, sites)

    def minimal_pairs(self) -> MinimalPairs | None:
        """Whether features follow the meaning of the pairs or their surface; None without pairs."""
        if self.pairs is None:
            return None
        config, tick = self.config, self.progress.start("Reading pairs", len(self.pairs))
        try:
            tables = self.lens.read(self.pairs.texts, config.reading.pooling, config.long, tick)
        except UserError as error:
            raise UserError(f"pairs {self.pairs.name}: {error}") from error
        return contrast_pairs(tables, self.pairs, config.chance.permutations, config.seed)

    def multiverse(
        self, corpus: Corpus, strata: np.ndarray | None, sites: int
    ) -> Multiverse | None:
        """Every claim under every combination of choices; None unless it is asked for."""
        if not self.config.multiverse:
            return None
        hypotheses = len(corpus.categories) * sites
        return method_study(
            self.lens,
            corpus,
            self.activations,
            self.config,
            strata=strata,
            # enough for a p-value well below alpha after Holm
            permutations=min(self.config.chance.permutations, max(1_000, 40 * hypotheses)),
            progress=self.progress,
        )


def _check_tables(tables: Mapping[str, FeatureTable], corpus: Corpus) -> None:
    if not tables:
        raise UserError("no tables to profile: expected one or more, by dictionary")
    for name, table in tables.items():
        if table.n_texts != len(corpus):
            raise UserError(
                f"table {name} has {table.n_texts} rows, the corpus has {len(corpus)} texts"
            )
    check_values(tables, f"any text of {corpus.name}")


def _readings(
    tables: Mapping[str, FeatureTable],
    measures: Mapping[str, SiteMeasures],
    corpus: Corpus,
    chance: ChanceTests,
    top_k: int,
) -> dict[str, SiteReading]:
    """What is said of every category at every site, and of each site as a whole."""
    labels = np.array(corpus.labels)
    sites = {}
    for name, table in tables.items():
        categories = {
            category: category_reading(
                table,
                measures[name],
                labels == category,
                top_k,
                chance.auroc[name, category],
                chance.score[name, category],
            )
            for category in corpus.categories
        }
        sites[name] = site_reading(table, measures[name], categories)
    return sites


def _distinct(strata: np.ndarray | None) -> int | None:
    return None if strata is None else int(strata.max()) + 1


def _fewer_strata(asked: int | None, strata: np.ndarray | None) -> list[str]:
    """That equal lengths left fewer strata than were asked for, if they did."""
    found = _distinct(strata)
    if asked is None or found == asked:
        return []
    return [f"of {asked} length strata asked for, {found} came about: many texts are equally long"]


def _too_few_permutations(hypotheses: int, config: ProfileConfig) -> list[str]:
    """That no p-value can reach alpha after Holm, where the least possible one is too large.

    Holm multiplies the least p-value of all, 1/(permutations + 1), by the number of hypotheses,
    categories × sites.
    """
    permutations, alpha = config.chance.permutations, config.alpha
    if hypotheses / (permutations + 1) <= alpha:
        return []
    enough = next(b for b in count(int(hypotheses / alpha) - 2) if hypotheses / (b + 1) <= alpha)
    return [
        f"with {permutations:,} permutations nothing can be beyond chance after Holm over "
        f"{hypotheses:,} hypotheses (categories × sites): at least {enough:,} are needed"
    ]
